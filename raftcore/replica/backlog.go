package replica

import "github.com/quorate/quorate/raftcore/protocol"

// backlog counts the bytes of entries that the state machine has not applied yet. Entries
// come in order and leave in order; what lies between two chunks' ends leaves when the
// later end is applied, so that the list stays short.
type backlog struct {
	chunks []chunk
	bytes  int
	limit  int // of bytes, kept by others; 0: none
}

type chunk struct {
	last  protocol.Index
	bytes int
}

// full reports whether nothing may be added. When it is empty anything may be.
func (b *backlog) full() bool { return b.limit > 0 && b.bytes >= b.limit }

func (b *backlog) add(last protocol.Index, bytes int) {
	b.bytes += bytes
	grain := 64 << 10
	if b.limit > 0 {
		grain = min(grain, b.limit/16)
	}
	if n := len(b.chunks); n > 0 && b.chunks[n-1].bytes < grain {
		b.chunks[n-1] = chunk{last, b.chunks[n-1].bytes + bytes}
		return
	}
	b.chunks = append(b.chunks, chunk{last, bytes})
}

// applied lets everything up to an index leave.
func (b *backlog) applied(upTo protocol.Index) {
	n := 0
	for n < len(b.chunks) && b.chunks[n].last <= upTo {
		b.bytes -= b.chunks[n].bytes
		n++
	}
	b.chunks = b.chunks[:copy(b.chunks, b.chunks[n:])]
}

// room gives how many bytes may be added to one that is not full.
func (b *backlog) room() int {
	if b.limit == 0 {
		return int(^uint(0) >> 1)
	}
	return b.limit - b.bytes
}

func (b *backlog) reset() { b.chunks, b.bytes = b.chunks[:0], 0 }

// appliedUpTo learns how far the state machine has come.
func (r *Replica) appliedUpTo(i protocol.Index) {
	r.applied = max(r.applied, min(i, r.handed))
	r.applying.applied(r.applied)
	r.lag.applied(r.applied)
}
