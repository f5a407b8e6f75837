package memcomms

import (
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

var _ transport.Comms = (*Comms)(nil)

// maxQueued is how many bytes may wait for one member from one sender. A message
// that finds nothing waiting is always taken.
const maxQueued = 16 << 20

// Comms is one member's end of a Switchboard.
type Comms struct {
	board   *Switchboard
	id      protocol.MemberID
	handler transport.Handler
	stop    chan struct{}
	calls   sync.WaitGroup // goroutines of the doors, and of the outbox
	wake    chan struct{}  // holds one token: the outbox is not empty

	// The board's lock owns these.
	outbox []protocol.Message // while somebody watches
	peers  map[protocol.MemberID]string
	doors  map[protocol.MemberID]*door
	closed bool
}

// door is where messages of one sender come in. One goroutine calls the handler.
type door struct {
	wake  chan struct{} // holds one token: the queue is not empty
	queue []item        // the board's lock owns it
	bytes int
	stood bool // something has passed since the connection was made

	called bool // by a sender that has this member as a peer
}

// item is a letter, or with gone set the news that the connection broke.
type item struct {
	letter
	gone bool
}

// Send implements transport.Comms.
func (c *Comms) Send(messages []protocol.Message) {
	if c.board.watch != nil {
		c.queue(messages)
		return
	}
	for _, m := range messages {
		c.post(m)
	}
}

// queue leaves messages to a goroutine of their own: the watcher may hold them up, and
// Send returns at once all the same.
func (c *Comms) queue(messages []protocol.Message) {
	c.board.mu.Lock()
	c.outbox = append(c.outbox, messages...)
	c.board.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// postAll posts what is queued, in order.
func (c *Comms) postAll() {
	for {
		select {
		case <-c.stop:
			return
		case <-c.wake:
		}
		c.board.mu.Lock()
		messages := c.outbox
		c.outbox = nil
		c.board.mu.Unlock()
		for _, m := range messages {
			if c.isClosed() {
				return
			}
			c.post(m)
		}
	}
}

// post lets a message leave, or what the interceptors make of it.
func (c *Comms) post(m protocol.Message) {
	in := c.board.interceptors()
	for _, p := range in.out(m) {
		if p.Delay > 0 {
			time.AfterFunc(p.Delay, func() { c.leave(p.Message, in.AfterOut) })
			continue
		}
		c.leave(p.Message, in.AfterOut)
	}
}

func (c *Comms) leave(m protocol.Message, after func(protocol.Message)) {
	c.board.tell(pauser.Sent, c.id, m)
	c.send(letter{encoded: c.encode(m), message: m, size: size(m)})
	if after != nil {
		after(m)
	}
}

func (c *Comms) encode(m protocol.Message) codec.Encoded {
	e, err := c.board.serializer.EncodeMessage(nil, m)
	if err != nil {
		panic(fmt.Sprintf("memcomms: member %d sends what cannot be encoded: %v", c.id, err))
	}
	return e
}

func (c *Comms) send(l letter) {
	b := c.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.closed || !c.knows(l.message.To) || l.message.To == c.id {
		b.state.dropped++
		return
	}
	b.pass(way{c.id, l.message.To}, l)
}

// knows reports whether a member is a peer, or has called. The board is locked.
func (c *Comms) knows(id protocol.MemberID) bool {
	_, named := c.peers[id]
	d := c.doors[id]
	return named || d != nil && d.called
}

// SetPeers implements transport.Comms. Only the IDs matter.
func (c *Comms) SetPeers(peers map[protocol.MemberID]string) {
	b := c.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range c.peers {
		if _, still := peers[id]; !still && b.state.members[id] != nil && !c.closed {
			b.state.members[id].door(c.id).disconnect(false)
		}
	}
	c.peers = make(map[protocol.MemberID]string, len(peers))
	for id, address := range peers {
		c.peers[id] = address
	}
}

// Close implements transport.Comms. The others are told.
func (c *Comms) Close() error {
	c.shut()
	c.calls.Wait()
	return nil
}

func (c *Comms) shut() {
	b := c.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	close(c.stop)
	delete(b.state.members, c.id)
	for _, other := range b.state.members {
		other.door(c.id).disconnect(false)
	}
}

// door gives the door for a sender. The board is locked.
func (c *Comms) door(from protocol.MemberID) *door {
	d := c.doors[from]
	if d == nil {
		d = &door{wake: make(chan struct{}, 1)}
		c.doors[from] = d
		if !c.closed {
			c.calls.Go(func() { c.serve(from, d) })
		}
	}
	return d
}

// put queues a letter and reports false when there is no room. The board is locked.
func (d *door) put(l letter) bool {
	if len(d.queue) > 0 && d.bytes+l.size > maxQueued {
		return false
	}
	d.add(item{letter: l})
	d.bytes += l.size
	d.stood = true
	return true
}

// disconnect queues the news that the connection broke, if one stood; with lose what
// waits is lost. The board is locked.
func (d *door) disconnect(lose bool) {
	d.called = false
	if !d.stood {
		return
	}
	if lose {
		d.queue, d.bytes = nil, 0
	}
	d.stood = false
	d.add(item{gone: true})
}

func (d *door) add(i item) {
	d.queue = append(d.queue, i)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// serve calls the handler with what comes from one sender.
func (c *Comms) serve(from protocol.MemberID, d *door) {
	for {
		select {
		case <-c.stop:
			return
		case <-d.wake:
		}
		for _, i := range c.take(d) {
			if c.isClosed() {
				return
			}
			if i.gone {
				c.handler.Disconnected(from)
				continue
			}
			c.receive(from, i.letter)
		}
	}
}

// receive gives the handler a message, or what the interceptors make of it.
func (c *Comms) receive(from protocol.MemberID, l letter) {
	m := c.decode(l.encoded)
	in := c.board.interceptors()
	parcels := []Parcel{{Message: m}}
	if !l.delayed {
		parcels = in.in(m)
	}
	for _, p := range parcels {
		if p.Delay > 0 {
			time.AfterFunc(p.Delay, func() { c.again(from, p.Message) })
			continue
		}
		c.board.tell(pauser.Arrived, c.id, p.Message)
		c.handler.Receive([]protocol.Message{p.Message})
		if in.AfterIn != nil {
			in.AfterIn(p.Message)
		}
	}
}

// again puts a message that was delayed at the end of its sender's queue.
func (c *Comms) again(from protocol.MemberID, m protocol.Message) {
	b := c.board
	l := letter{encoded: c.encode(m), message: m, size: size(m), delayed: true}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.closed || !c.door(from).put(l) {
		b.state.dropped++
	}
}

func (c *Comms) take(d *door) []item {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	queue := d.queue
	d.queue, d.bytes = nil, 0
	return queue
}

func (c *Comms) isClosed() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

func (c *Comms) decode(e codec.Encoded) protocol.Message {
	m, err := c.board.serializer.DecodeMessage(e)
	if err != nil {
		panic(fmt.Sprintf("memcomms: member %d cannot read what was sent to it: %v", c.id, err))
	}
	return m
}

// size is about what a message takes, in bytes.
func size(m protocol.Message) int {
	n := 64
	switch b := m.Body.(type) {
	case *protocol.AppendRequest:
		n += protocol.Size(b.Entries)
	case *protocol.RepairResponse:
		n += protocol.Size(b.Entries)
	case *protocol.SnapshotRequest:
		n += len(b.Data)
	case *protocol.Forward:
		for _, p := range b.Payloads {
			n += len(p)
		}
	}
	return n
}
