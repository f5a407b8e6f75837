package pauser

import (
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// Attach lets a host that is about to be started tell this Pauser of its role, term and
// leader, of what its log has durable, and of what its state machine has applied.
// Messages are told of by the comms.
func (p *Pauser) Attach(o *host.Options) {
	id := o.ID
	o.Log = &watchedLog{o.Log, p, id}
	applied := watchedApplied{p, id, o.Machine}
	if d, durable := o.Machine.(machine.Durable); durable {
		o.Machine = watchedDurable{d, applied}
	} else {
		o.Machine = watchedMachine{o.Machine, applied}
	}
	before := o.OnStateChange
	o.OnStateChange = func(s host.State) {
		if before != nil {
			before(s)
		}
		p.change(id, func(x *Status) { x.Role, x.Term, x.Leader = s.Role, s.Term, s.Leader })
	}
}

// watchedLog tells of writes that have become durable, before the host learns of it.
type watchedLog struct {
	storage.Log
	p  *Pauser
	id protocol.MemberID
}

func (l *watchedLog) Append(entries []protocol.Entry, done func(error)) {
	l.Log.Append(entries, l.told(entries[len(entries)-1].Index, done))
}

func (l *watchedLog) Reset(base protocol.EntryID, done func(error)) {
	l.Log.Reset(base, l.told(base.Index, done))
}

func (l *watchedLog) told(last protocol.Index, done func(error)) func(error) {
	return func(err error) {
		if err == nil {
			l.p.change(l.id, func(s *Status) { s.Last = last })
		}
		done(err)
	}
}

type watchedMachine struct {
	machine.StateMachine
	watchedApplied
}

type watchedDurable struct {
	machine.Durable
	watchedApplied
}

// watchedApplied tells of what was applied, before clients are answered.
type watchedApplied struct {
	p       *Pauser
	id      protocol.MemberID
	machine machine.StateMachine
}

// AppliedTo implements machine.AppliedTo.
func (w watchedApplied) AppliedTo(id protocol.EntryID) {
	if a, ok := w.machine.(machine.AppliedTo); ok {
		a.AppliedTo(id)
	}
	w.p.change(w.id, func(s *Status) { s.Applied, s.Commit = id.Index, max(s.Commit, id.Index) })
}
