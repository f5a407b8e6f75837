package tcp

import (
	"fmt"
	"net"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

const (
	// A read gets at least minRead bytes of room, in a buffer of minBuffer to maxBuffer
	// bytes. A single longer frame gets what it needs: at once up to believed, beyond
	// that as its bytes arrive.
	minRead   = 2 << 10
	minBuffer = 16 << 10
	maxBuffer = 256 << 10
	believed  = 1 << 20
)

// frameReader cuts what arrives into frames. Memory behind a frame that was given
// is never written again.
type frameReader struct {
	conn     net.Conn
	limit    int // of a body
	counters *counters

	buf   []byte // buf[from:] has arrived and was not given yet
	from  int
	size  int // of the next buffer
	reads int // into this one
	last  int // length of the last frame

	bugs mutation.Set // deliberate, for tests of the tests
}

// next gives the body of the next message, or nil when more must be read first.
func (r *frameReader) next() ([]byte, error) {
	have := r.buf[r.from:]
	if len(have) < headerSize {
		return nil, nil
	}
	typ, n, err := bodyLength(have, r.limit)
	if err != nil {
		return nil, err
	}
	if typ != frameMessage {
		return nil, fmt.Errorf("a frame of type %d came among messages", typ)
	}
	end := headerSize + n
	if len(have) < end {
		return nil, nil
	}
	if err := verify(have[:end]); err != nil {
		return nil, err
	}
	r.from += end
	r.last = end
	return have[headerSize:end:end], nil
}

// fill reads once.
func (r *frameReader) fill() error {
	r.reserve()
	n, err := r.conn.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	r.reads++
	r.counters.reads.Add(1)
	r.counters.receivedBytes.Add(uint64(n))
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// reserve makes room for a read. The frame that has arrived in part moves to a new
// buffer where it does not fit into this one. That buffer is bounded by what has arrived
// or by a constant, whatever length the frame claims.
func (r *frameReader) reserve() {
	have, free := len(r.buf)-r.from, cap(r.buf)-len(r.buf)
	length := 0 // of the frame, when its header is there
	if have >= headerSize {
		_, n, _ := bodyLength(r.buf[r.from:], r.limit) // next has seen that it is good
		length = headerSize + n
	}
	fits := length > 0 && r.from+length <= cap(r.buf)
	if fits || free >= minRead && (length == 0 || r.from == 0 && cap(r.buf) >= believed) {
		return
	}
	r.adapt()
	if length == 0 {
		length = min(r.last, believed) // the next frame is likely to be like the last
	}
	size := max(r.size, min(length, max(believed, 4*have)))
	if r.bugs.Has(mutation.UnboundedLength) {
		size = max(size, length)
	}
	r.buf = append(make([]byte, 0, size), r.buf[r.from:]...)
	r.from = 0
}

// adapt makes the next buffer larger when few reads filled this one, and smaller when
// it took many: then a kept payload pins less.
func (r *frameReader) adapt() {
	switch {
	case r.size == 0:
		r.size = minBuffer
	case r.reads <= 4:
		r.size = min(2*r.size, maxBuffer)
	case r.reads >= 64:
		r.size = max(r.size/2, minBuffer)
	}
	r.reads = 0
}
