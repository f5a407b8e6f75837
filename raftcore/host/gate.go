package host

import (
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

// gate holds messages back until what they promise is durable. It sends them
// straight from the goroutine that learned of the durability, so that an
// acknowledgement does not wait for the loop.
type gate struct {
	comms transport.Comms

	mu      sync.Mutex
	durable uint64    // every sequence number up to it is durable
	at      time.Time // when the last of them became so
	early   []uint64  // durable ones beyond durable+1
	closed  bool
	held    []heldMessages // ascending by seq
	bytes   int            // of held
}

type heldMessages struct {
	seq      uint64
	messages []protocol.Message
	bytes    int
}

// maxHeldBytes bounds what waits for a disk that hangs, while heartbeats are still answered.
const maxHeldBytes = 8 << 20

// hold takes messages that may leave once seq is durable. It sends them at once when
// it is already.
func (g *gate) hold(seq uint64, messages []protocol.Message) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if g.durable >= seq {
		g.comms.Send(messages)
		return
	}
	size := sizeOf(messages)
	if len(g.held) > 0 && g.bytes+size > maxHeldBytes {
		return // as if the network had lost them
	}
	g.held, g.bytes = append(g.held, heldMessages{seq, slices.Clone(messages), size}), g.bytes+size
}

// done tells that the write with the sequence number is durable. It sends what
// waited for it and gives the number up to which all are durable.
func (g *gate) done(seq uint64) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seq != g.durable+1 {
		g.early = append(g.early, seq)
		return g.durable
	}
	g.durable, g.at = seq, time.Now()
	for {
		i := slices.Index(g.early, g.durable+1)
		if i < 0 {
			break
		}
		g.early = slices.Delete(g.early, i, i+1)
		g.durable++
	}
	g.release()
	return g.durable
}

// progress gives the number up to which all are durable, and when the last became so.
func (g *gate) progress() (upTo uint64, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.durable, g.at
}

func (g *gate) release() {
	n := 0
	for n < len(g.held) && g.held[n].seq <= g.durable {
		if !g.closed {
			g.comms.Send(g.held[n].messages)
		}
		g.bytes -= g.held[n].bytes
		n++
	}
	g.held = slices.Delete(g.held, 0, n)
}

// close drops what is held and lets nothing through again.
func (g *gate) close() {
	g.mu.Lock()
	g.closed, g.held, g.bytes = true, nil, 0
	g.mu.Unlock()
}
