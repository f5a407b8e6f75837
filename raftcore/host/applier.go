package host

import (
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// maxApplyBatch bounds how many entries go to the state machine in one call, so
// that clients get answers while a long backlog is applied.
const maxApplyBatch = 1024

// applier owns the state machine. Its goroutine takes everything that was queued,
// applies it in batches and answers the clients that wait on this member.
type applier struct {
	self       protocol.MemberID
	machine    machine.StateMachine
	appliedTo  machine.AppliedTo // nil when the state machine does not want to know
	serializer codec.Serializer
	waiters    *waiters
	noted      func(protocol.EntryID) // before clients are answered
	onApplied  func(protocol.EntryID) // afterwards
	onTerm     func(protocol.Term)    // the first entries of a new term are applied
	failed     func(error)

	applied atomic.Uint64    // protocol.Index
	last    protocol.EntryID // the last entry applied; its goroutine's

	wake chan struct{} // capacity 1
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	queue []applyTask

	commands []machine.Command
	results  []machine.Result
	replies  []uint64 // request to answer for commands[i], 0: none
}

// applyTask is entries to apply, or something else that the applier's goroutine
// must do between two calls of Apply.
type applyTask struct {
	entries []protocol.Entry
	do      func(machine.StateMachine) error
}

// run works until stop is closed or the state machine fails.
func (a *applier) run() {
	defer close(a.done)
	for {
		select {
		case <-a.stop:
			return
		case <-a.wake:
		}
		for _, t := range a.take() {
			if err := a.perform(t); err != nil {
				a.failed(err)
				return
			}
		}
	}
}

func (a *applier) take() []applyTask {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queue
	a.queue = nil
	return q
}

// put queues a copy of the entries, together with those that wait already.
func (a *applier) put(entries []protocol.Entry) {
	a.mu.Lock()
	if n := len(a.queue); n > 0 && a.queue[n-1].do == nil {
		a.queue[n-1].entries = append(a.queue[n-1].entries, entries...)
	} else {
		a.queue = append(a.queue, applyTask{entries: append([]protocol.Entry(nil), entries...)})
	}
	a.mu.Unlock()
	a.signal()
}

// do queues f behind the entries that are queued.
func (a *applier) do(f func(machine.StateMachine) error) {
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
		return t.do(a.machine)
	}
	for es := t.entries; len(es) > 0; {
		n := min(len(es), maxApplyBatch)
		if err := a.apply(es[:n]); err != nil {
			return err
		}
		es = es[n:]
	}
	return nil
}

func (a *applier) apply(entries []protocol.Entry) error {
	if err := a.decode(entries); err != nil {
		return err
	}
	if len(a.commands) > 0 {
		if err := a.machine.Apply(a.commands, a.results); err != nil {
			return err
		}
	}
	last := entries[len(entries)-1].ID()
	if a.appliedTo != nil {
		a.appliedTo.AppliedTo(last)
	}
	a.applied.Store(uint64(last.Index))
	before := a.last.Term
	a.last = last
	a.noted(last)
	for i, id := range a.replies {
		if id != 0 {
			a.waiters.complete(id, outcome{result: a.results[i]})
		}
	}
	a.onApplied(last)
	if last.Term > before {
		a.onTerm(last.Term)
	}
	return nil
}

// decode fills commands, results and replies from the entries that are commands.
func (a *applier) decode(entries []protocol.Entry) error {
	a.commands, a.replies = a.commands[:0], a.replies[:0]
	for _, e := range entries {
		if e.Kind != protocol.EntryCommand {
			continue
		}
		c, err := a.serializer.DecodeCommand(codec.Encoded{Bytes: e.Payload})
		if err != nil {
			return err
		}
		reply := uint64(0)
		if c.ReplyTo.Member == a.self {
			reply = c.ReplyTo.Request
		}
		a.commands = append(a.commands, machine.Command{Index: e.Index, Term: e.Term, Payload: c.Payload, Discard: reply == 0})
		a.replies = append(a.replies, reply)
	}
	if cap(a.results) < len(a.commands) {
		a.results = make([]machine.Result, len(a.commands), maxApplyBatch)
	}
	a.results = a.results[:len(a.commands)]
	clear(a.results)
	return nil
}
