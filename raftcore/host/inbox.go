package host

import (
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// inbox is where every goroutine leaves work for the loop. The loop takes all of
// it at once, so that what arrives while it works becomes the next batch.
type inbox struct {
	wake chan struct{} // capacity 1

	mu     sync.Mutex
	space  *sync.Cond // signalled when the loop has taken the messages
	closed bool
	work   work
}

// work is what the loop takes in one turn.
type work struct {
	messages  []protocol.Message
	bytes     int // of messages
	proposals []proposal
	queued    int             // bytes of proposals
	persisted uint64          // highest sequence number that is durable
	applied   protocol.Index  // highest index that is applied
	inputs    []replica.Input // rare ones, in order
	calls     []func(*replica.Replica)
}

// emptied gives work without elements that has the memory of w, which is not used again.
func (w *work) emptied() work {
	const keep = 4096 // elements; more is a rare burst
	var e work
	if cap(w.messages) <= keep {
		clear(w.messages)
		e.messages = w.messages[:0]
	}
	if cap(w.proposals) <= keep {
		clear(w.proposals)
		e.proposals = w.proposals[:0]
	}
	return e
}

// maxInboxBytes bounds what peers may leave before they are held back.
const maxInboxBytes = 32 << 20

func newInbox() *inbox {
	b := &inbox{wake: make(chan struct{}, 1)}
	b.space = sync.NewCond(&b.mu)
	return b
}

// take swaps the collected work against empty, which must have no elements.
func (b *inbox) take(empty work) work {
	b.mu.Lock()
	w := b.work
	b.work = empty
	b.space.Broadcast()
	b.mu.Unlock()
	return w
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// put runs f under the lock and wakes the loop.
func (b *inbox) put(f func(*work)) {
	b.mu.Lock()
	f(&b.work)
	b.mu.Unlock()
	b.signal()
}

func (b *inbox) input(in replica.Input) {
	b.put(func(w *work) { w.inputs = append(w.inputs, in) })
}

// receive waits while too much is queued: the sender is held back, not we.
func (b *inbox) receive(m protocol.Message) {
	size := sizeOf([]protocol.Message{m})
	b.mu.Lock()
	for b.work.bytes > maxInboxBytes && !b.closed {
		b.space.Wait()
	}
	b.work.messages = append(b.work.messages, m)
	b.work.bytes += size
	b.mu.Unlock()
}

// sizeOf is about what messages take in memory, in bytes.
func sizeOf(messages []protocol.Message) int {
	const envelope = 128
	n := 0
	for _, m := range messages {
		n += envelope
		switch b := m.Body.(type) {
		case *protocol.AppendRequest:
			n += protocol.Size(b.Entries)
		case *protocol.Forward:
			for _, p := range b.Payloads {
				n += len(p)
			}
		}
	}
	return n
}

// propose queues a proposal and reports false when more than limit bytes wait.
func (b *inbox) propose(p proposal, limit int) bool {
	b.mu.Lock()
	if b.work.queued+len(p.payload) > limit && b.work.queued > 0 {
		b.mu.Unlock()
		return false
	}
	first := len(b.work.proposals) == 0
	b.work.proposals = append(b.work.proposals, p)
	b.work.queued += len(p.payload)
	b.mu.Unlock()
	if first {
		b.signal()
	}
	return true
}

// close lets everybody go who waits for space.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed = true
	b.space.Broadcast()
	b.mu.Unlock()
}
