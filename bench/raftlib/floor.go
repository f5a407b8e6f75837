package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

// floorGroup is not Raft. It is the least that durable replication costs on this machine:
// a leader that never changes encodes a batch once, sends it to two followers while its
// own disk works, and answers when two of the three disks have it. One batch is on its
// way at any time; what comes meanwhile is the next one. Files are written before, and
// written over and over: no log ever grows.
type floorGroup struct {
	own       *floorFile
	files     []*floorFile
	followers []net.Conn
	listeners []net.Listener

	mu     sync.Mutex
	queue  []floorProposal
	closed bool
	wake   chan struct{}
	acks   chan uint64 // batch numbers that a disk has
	ownJob chan []byte

	running sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

type floorProposal struct {
	payload []byte
	done    chan struct{}
}

var floorWaits = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

func openFloor(dir string) (library, error) {
	ctx, stop := context.WithCancel(context.Background())
	g := &floorGroup{wake: make(chan struct{}, 1), acks: make(chan uint64, 8), ownJob: make(chan []byte, 1), ctx: ctx, stop: stop}
	ports, addresses, err := listen(2)
	if err != nil {
		return nil, err
	}
	g.listeners = ports
	for i := range 3 {
		f, err := newFloorFile(filepath.Join(dir, fmt.Sprint(i+1)))
		if err != nil {
			return nil, err
		}
		g.files = append(g.files, f)
	}
	g.own = g.files[0]
	for i, address := range addresses {
		g.running.Go(func() { serveFloor(ports[i], g.files[i+1]) })
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		g.followers = append(g.followers, conn)
		g.running.Go(func() { g.readAcks(conn) })
	}
	g.running.Go(g.writeOwn)
	g.running.Go(g.lead)
	return g, nil
}

func (g *floorGroup) propose(payload []byte) error {
	done := floorWaits.Get().(chan struct{})
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return errors.New("closed")
	}
	g.queue = append(g.queue, floorProposal{payload, done})
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	<-done
	floorWaits.Put(done)
	return nil
}

func (g *floorGroup) read() error { return errNotMeasured }

func (g *floorGroup) flushes() (n uint64) {
	for _, f := range g.files {
		n += f.syncs.Load()
	}
	return n
}

func (g *floorGroup) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	close(g.wake)
	g.stop()
	for _, c := range g.followers {
		c.Close() //nolint:errcheck // the measurement is over
	}
	for _, l := range g.listeners {
		l.Close() //nolint:errcheck // likewise
	}
	g.running.Wait()
	for _, f := range g.files {
		f.file.Close() //nolint:errcheck // likewise
	}
}

// lead sends batch after batch. A frame is a length and the payload; a batch has a
// header of its length and its number.
func (g *floorGroup) lead() {
	defer close(g.ownJob)
	var batch []floorProposal
	var bufs [3][]byte // one to fill, one that waits for the own disk, one that it writes
	for number := uint64(1); ; number++ {
		if batch = g.take(batch); batch == nil {
			return
		}
		buf := bufs[number%3][:0]
		buf = append(buf, make([]byte, 16)...)
		for _, p := range batch {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(len(p.payload)))
			buf = append(buf, p.payload...)
		}
		binary.LittleEndian.PutUint64(buf, uint64(len(buf)-16))
		binary.LittleEndian.PutUint64(buf[8:], number)
		bufs[number%3] = buf
		for _, c := range g.followers {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
		g.ownJob <- buf
		if !g.committed(number) {
			return
		}
		for i := range batch {
			batch[i].done <- struct{}{}
			batch[i] = floorProposal{}
		}
	}
}

func (g *floorGroup) take(empty []floorProposal) []floorProposal {
	for range g.wake {
		g.mu.Lock()
		batch := g.queue
		if len(batch) > 0 {
			g.queue = empty[:0]
		}
		g.mu.Unlock()
		if len(batch) > 0 {
			return batch
		}
	}
	return nil
}

// committed waits until two of three disks have the batch. Late answers to earlier
// batches are passed over.
func (g *floorGroup) committed(number uint64) bool {
	for have := 0; have < 2; {
		select {
		case n := <-g.acks:
			if n == number {
				have++
			}
		case <-g.ctx.Done():
			return false
		}
	}
	return true
}

func (g *floorGroup) acknowledge(number uint64) {
	select {
	case g.acks <- number:
	case <-g.ctx.Done():
	}
}

func (g *floorGroup) writeOwn() {
	for buf := range g.ownJob {
		if err := g.own.write(buf[16:]); err != nil {
			panic(err) // the measurement is void
		}
		g.acknowledge(binary.LittleEndian.Uint64(buf[8:]))
	}
}

func (g *floorGroup) readAcks(conn net.Conn) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			return
		}
		g.acknowledge(binary.LittleEndian.Uint64(b[:]))
	}
}

// serveFloor is a follower: read a batch, make it durable, tell its number.
func serveFloor(l net.Listener, f *floorFile) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close() //nolint:errcheck // the measurement is over
	var buf []byte
	var head [16]byte
	for {
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		n := int(binary.LittleEndian.Uint64(head[:]))
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		if _, err := io.ReadFull(conn, buf[:n]); err != nil {
			return
		}
		if f.write(buf[:n]) != nil {
			return
		}
		if _, err := conn.Write(head[8:]); err != nil {
			return
		}
	}
}

// floorFile is a file of zeros that is written from its beginning to its end, and again.
type floorFile struct {
	file  *os.File
	at    int64
	syncs atomic.Uint64
}

const floorFileSize = 64 << 20

func newFloorFile(dir string) (*floorFile, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(make([]byte, floorFileSize)); err != nil {
		return nil, err
	}
	return &floorFile{file: f}, f.Sync()
}

func (f *floorFile) write(b []byte) error {
	if f.at+int64(len(b)) > floorFileSize {
		f.at = 0
	}
	if _, err := f.file.WriteAt(b, f.at); err != nil {
		return err
	}
	f.at += int64(len(b))
	f.syncs.Add(1)
	return syscall.Fdatasync(int(f.file.Fd()))
}
