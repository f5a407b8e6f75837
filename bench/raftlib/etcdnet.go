package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

type listener = net.Listener

// listen opens n ports of the loopback.
func listen(n int) (ls []net.Listener, addresses []string, err error) {
	for range n {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		ls, addresses = append(ls, l), append(addresses, l.Addr().String())
	}
	return ls, addresses, nil
}

// etcdNet sends the library's messages, length first, over one connection for each
// direction. A writer takes all that is queued for its peer and writes it at once, as
// this project's transport does.
type etcdNet struct {
	listener net.Listener
	queues   map[uint64]*etcdQueue
	step     func(*raftpb.Message)
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

type etcdQueue struct {
	mu       sync.Mutex
	messages []*raftpb.Message
	ready    chan struct{}
}

func newEtcdNet(self uint64, l net.Listener, addresses []string, step func(*raftpb.Message)) *etcdNet {
	n := &etcdNet{listener: l, queues: map[uint64]*etcdQueue{}, step: step}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.running.Go(n.accept)
	for i, address := range addresses {
		if id := uint64(i + 1); id != self {
			q := &etcdQueue{ready: make(chan struct{}, 1)}
			n.queues[id] = q
			n.running.Go(func() { n.write(address, q) })
		}
	}
	return n
}

func (n *etcdNet) close() {
	n.cancel()
	n.listener.Close() //nolint:errcheck // the measurement is over
	n.running.Wait()
}

func (n *etcdNet) send(messages []*raftpb.Message) {
	for _, m := range messages {
		q := n.queues[m.GetTo()]
		if q == nil {
			continue
		}
		q.mu.Lock()
		q.messages = append(q.messages, m)
		q.mu.Unlock()
		select {
		case q.ready <- struct{}{}:
		default:
		}
	}
}

func (n *etcdNet) write(address string, q *etcdQueue) {
	conn, err := new(net.Dialer).DialContext(n.ctx, "tcp", address)
	if err != nil {
		return
	}
	defer conn.Close() //nolint:errcheck // the measurement is over
	var buf []byte
	var batch []*raftpb.Message
	for {
		select {
		case <-q.ready:
		case <-n.ctx.Done():
			return
		}
		q.mu.Lock()
		batch, q.messages = q.messages, batch[:0]
		q.mu.Unlock()
		buf = buf[:0]
		for _, m := range batch {
			at := len(buf)
			buf, err = proto.MarshalOptions{}.MarshalAppend(append(buf, 0, 0, 0, 0), m)
			if err != nil {
				panic(err) // the measurement is void
			}
			binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		}
		clear(batch)
		if _, err := conn.Write(buf); err != nil {
			return
		}
	}
}

func (n *etcdNet) accept() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.running.Go(func() { n.read(conn) })
	}
}

func (n *etcdNet) read(conn net.Conn) {
	stop := context.AfterFunc(n.ctx, func() { conn.Close() }) //nolint:errcheck // the measurement is over
	defer stop()
	r := bufio.NewReaderSize(conn, 256<<10)
	var size [4]byte
	var body []byte
	for {
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return
		}
		want := int(binary.LittleEndian.Uint32(size[:]))
		if cap(body) < want {
			body = make([]byte, want)
		}
		body = body[:want]
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		m := &raftpb.Message{}
		if err := proto.Unmarshal(body, m); err != nil { // it copies what it keeps
			panic(err)
		}
		n.step(m)
	}
}
