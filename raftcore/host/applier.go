package host

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// maxApplyBatch bounds how many entries go to the state machine in one call, so
// that clients get answers while a long backlog is applied.
const maxApplyBatch = 1024

// applier owns the state. Its goroutine takes everything that was queued, applies it in
// batches and answers the clients that wait on this member.
type applier struct {
	self       protocol.MemberID
	state      *state
	appliedTo  machine.AppliedTo // nil when the state machine does not want to know
	observer   Observer          // nil: none
	serializer codec.Serializer
	waiters    *waiters
	noted      func(protocol.EntryID) // before clients are answered
	onApplied  func(protocol.EntryID) // afterwards
	onTerm     func(protocol.Term)    // the first entries of a new term are applied
	failed     func(error)
	localClock func() uint64 // nil, but for a deliberate bug

	onMembership func(protocol.EntryID, protocol.Membership)

	applied  atomic.Uint64       // protocol.Index
	sessions atomic.Int64        // how many are open
	last     protocol.EntryID    // the last entry applied; its goroutine's
	members  protocol.Membership // as of last; its goroutine's

	wake chan struct{} // capacity 1
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []applyTask

	batch batch
}

// applyTask is entries to apply, or something else that the applier's goroutine
// must do between two calls of Apply.
type applyTask struct {
	entries []protocol.Entry
	do      func(*state) error
}

// run works until stop is closed or the state machine fails.
func (a *applier) run() {
	defer close(a.done)
	var tasks []applyTask
	for {
		select {
		case <-a.stop:
			return
		case <-a.wake:
		}
		tasks = a.takeQueue(tasks)
		for _, t := range tasks {
			if err := a.perform(t); err != nil {
				a.failed(err)
				return
			}
		}
		clear(tasks)
	}
}

// takeQueue swaps the queue against the memory of empty.
func (a *applier) takeQueue(empty []applyTask) []applyTask {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queue
	a.queue = empty[:0]
	return q
}

// put queues the entries, together with those that wait already. Nobody may change them
// after it.
func (a *applier) put(entries []protocol.Entry) {
	a.mu.Lock()
	if n := len(a.queue); n > 0 && a.queue[n-1].do == nil {
		a.queue[n-1].entries = append(a.queue[n-1].entries, entries...)
	} else {
		a.queue = append(a.queue, applyTask{entries: slices.Clip(entries)}) // so that an append copies them
	}
	a.mu.Unlock()
	a.signal()
}

// do queues f behind the entries that are queued.
func (a *applier) do(f func(*state) error) {
	a.mu.Lock()
	a.queue = append(a.queue, applyTask{do: f})
	a.mu.Unlock()
	a.signal()
}

func (a *applier) signal() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *applier) perform(t applyTask) error {
	if t.do != nil {
		return t.do(a.state)
	}
	for es := t.entries; len(es) > 0; {
		n, err := a.apply(es[:min(len(es), maxApplyBatch)])
		if err != nil {
			return err
		}
		es = es[n:]
	}
	return nil
}

// apply applies the entries, or the first of them, and gives how many.
func (a *applier) apply(entries []protocol.Entry) (int, error) {
	n, err := a.take(entries)
	if err != nil {
		return 0, err
	}
	if err := a.execute(); err != nil {
		return 0, err
	}
	last := entries[n-1].ID()
	if a.appliedTo != nil {
		a.appliedTo.AppliedTo(last)
	}
	if a.observer != nil {
		a.observer.Applied(last)
	}
	a.applied.Store(uint64(last.Index))
	before := a.last.Term
	a.last = last
	a.noted(last)
	a.answer()
	if err := a.applyConfigurations(entries[:n]); err != nil {
		return 0, err
	}
	a.onApplied(last)
	if last.Term > before {
		a.onTerm(last.Term)
	}
	return n, nil
}

// applyConfigurations follows the memberships, which snapshots carry.
func (a *applier) applyConfigurations(entries []protocol.Entry) error {
	for i := range entries {
		if entries[i].Kind != protocol.EntryConfiguration {
			continue
		}
		m, err := a.serializer.DecodeMembership(codec.Encoded{Bytes: entries[i].Payload})
		if err != nil {
			return err
		}
		a.members = m
		a.onMembership(entries[i].ID(), m)
	}
	return nil
}

// learn takes the membership as of the last applied entry from configurations that the log
// could not tell of when this member began.
func (a *applier) learn(known []protocol.Entry) error {
	for _, e := range known {
		if e.Index > a.last.Index {
			break
		}
		m, err := a.serializer.DecodeMembership(codec.Encoded{Bytes: e.Payload})
		if err != nil {
			return err
		}
		a.members = m
	}
	return nil
}

// answer lets the clients go that wait on this member.
func (a *applier) answer() {
	b := &a.batch
	for i, id := range b.replies {
		if id != 0 {
			a.waiters.complete(id, outcome{result: b.results[i]})
		}
	}
	for _, x := range b.told {
		a.waiters.complete(x.request, x.outcome)
	}
}
