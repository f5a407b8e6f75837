package sim

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// Workload has a run replicate a state machine of the user's own, in place of the
// simulator's registers, under all that the options let go wrong. Nothing else changes:
//
//	o := sim.OptionsFor(seed)
//	o.Workload = &sim.Workload{Machine: ..., Command: ..., State: ..., Check: ...}
//	_, err := sim.Run(o)
//
// Package simtest runs many seeds in a test. A Workload may be shared by runs that go on at
// the same time: the functions must not keep anything between two calls.
//
// What is checked beside Raft's own properties:
//   - all members that apply a command get equal results (by reflect.DeepEqual), and are
//     in equal states when they have applied the same, also after a restart from a snapshot;
//   - what a client was told stays, and no command is applied twice;
//   - Check's opinion of the whole history.
type Workload struct {
	// Machine makes an empty state machine. It is called at each start of a member.
	// (A machine.Durable is treated like any other: it comes back from a snapshot.)
	Machine func() machine.StateMachine

	// Command draws what a client asks for next. Nothing but r may decide.
	Command func(r *rand.Rand) []byte

	// Read asks the state machine something that changes nothing, and gives question and
	// answer in one. Nil: clients only write.
	Read func(r *rand.Rand, m machine.StateMachine) any

	// State describes the whole state. It is called often. Nil: states are not compared.
	State func(m machine.StateMachine) string

	// Check judges the history when the run has come to its end. As commands stand in the
	// order of the log, reads where they were answered, and the simulator itself sees to it that
	// each took effect between its call and its answer, a history that a sequential model
	// accepts in this order is linearizable. Nil: everything is right.
	Check func(history []Event) error
}

// Event is a command that was committed, or a read that was answered.
type Event struct {
	Index   protocol.Index // of the command, or up to which the read saw the log
	Command []byte         // nil for a read
	Result  machine.Result // of the command, where it was applied first
	Read    any            // what Workload.Read gave; nil for a command

	isRead bool
}

// work is what a run knows of its workload.
type work struct {
	*Workload
	c       *Cluster
	r       random
	history []Event
	results map[protocol.Index]machine.Result // where it was applied first
	states  map[protocol.Index]string
}

func newWork(c *Cluster) work {
	return work{
		Workload: c.options.Workload, c: c, r: newRandom(c.options.Seed, streamCommands),
		results: map[protocol.Index]machine.Result{}, states: map[protocol.Index]string{},
	}
}

// start gives a member its state machine, in the state that it comes back with.
func (w *work) start(m *member) {
	if w.Workload != nil {
		m.user = w.Machine()
		w.restore(m)
	}
}

// restore brings the user's machine to the state that the member has taken over.
func (w *work) restore(m *member) {
	if w.Workload == nil || m.machine.last.Index == 0 {
		return
	}
	if err := m.user.Restore(m.machine.last, bytes.NewReader(m.machine.frozen)); err != nil {
		w.c.fail(SameState, "member %d cannot restore the snapshot up to %v: %v", m.id, m.machine.last, err)
		return
	}
	w.compare(m)
}

// freeze starts a snapshot of the user's machine. What it gives writes it, perhaps later.
func (w *work) freeze(m *member) func() []byte {
	if w.Workload == nil {
		return func() []byte { return nil }
	}
	last := m.machine.last
	snap, err := m.user.Snapshot()
	if err != nil {
		w.c.fail(SameState, "member %d makes no snapshot up to %v: %v", m.id, last, err)
		return func() []byte { return nil }
	}
	return func() []byte {
		var b bytes.Buffer
		_, err := snap.WriteTo(&b)
		if closing := snap.Close(); err == nil {
			err = closing
		}
		if err != nil {
			w.c.fail(SameState, "member %d does not write its snapshot up to %v: %v", m.id, last, err)
		}
		return b.Bytes()
	}
}

// apply applies the commands among the entries in one batch, as package host does.
func (w *work) apply(m *member, entries []protocol.Entry, outcomes []outcome) {
	if w.Workload == nil {
		return
	}
	var commands []machine.Command
	for i, e := range entries {
		if e.Kind != protocol.EntryCommand || outcomes[i].verdict != session.Execute {
			continue
		}
		p := decodeWrite(e.Payload)
		_, known := w.results[e.Index]
		commands = append(commands, machine.Command{
			Index: e.Index, Term: e.Term, Payload: slices.Clone(p.command),
			Discard: known && w.c.clients.find(m, p.value) == nil && w.r.percent(50),
		})
	}
	if len(commands) == 0 {
		return
	}
	results := make([]machine.Result, len(commands))
	if err := m.user.Apply(commands, results); err != nil {
		w.c.fail(SameState, "member %d does not apply the commands from index %d on: %v", m.id, commands[0].Index, err)
		return
	}
	for i, c := range commands {
		w.result(m, c, results[i])
	}
	w.compare(m)
}

// result compares with what the member got that applied the command first.
func (w *work) result(m *member, c machine.Command, got machine.Result) {
	want, known := w.results[c.Index]
	switch {
	case !known:
		w.results[c.Index] = got
		w.history = append(w.history, Event{Index: c.Index, Command: c.Payload, Result: got})
	case !c.Discard && !reflect.DeepEqual(got, want):
		w.c.fail(SameState, "member %d gets the result %+v for the command %q at index %d, others got %+v", m.id, got, c.Payload, c.Index, want)
	}
}

// compare compares the member's state with what others had after the same entries.
func (w *work) compare(m *member) {
	if w.State == nil {
		return
	}
	got, at := w.State(m.user), m.machine.last.Index
	if want, known := w.states[at]; known && got != want {
		w.c.fail(SameState, "member %d has the state %q after index %d, others had %q", m.id, got, at, want)
	}
	w.states[at] = got
}

// read answers a client.
func (w *work) read(m *member) {
	if w.Workload != nil && w.Read != nil {
		w.history = append(w.history, Event{Index: m.machine.last.Index, Read: w.Read(w.r.Rand, m.user), isRead: true})
	}
}

// judge asks for the user's own opinion of what happened.
func (w *work) judge() {
	if w.Workload == nil || w.Check == nil {
		return
	}
	// Reads come after the command that they saw last.
	slices.SortStableFunc(w.history, func(a, b Event) int {
		if a.Index == b.Index && a.isRead != b.isRead {
			return cmp.Compare(rank(a), rank(b))
		}
		return cmp.Compare(a.Index, b.Index)
	})
	if err := w.Check(w.history); err != nil {
		w.c.fail(UserCheck, "%v", err)
	}
}

func rank(e Event) int {
	if e.isRead {
		return 1
	}
	return 0
}
