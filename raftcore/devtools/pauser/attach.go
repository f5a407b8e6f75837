package pauser

import (
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// Attach lets a host that is about to be started tell this Pauser of every input before
// it is stepped, of what became of the member by it, of what its log has durable, and of
// what its state machine has applied. Messages are told of by the comms. A member that starts again is attached again.
func (p *Pauser) Attach(o *host.Options) {
	id := o.ID
	p.note(id, func(s *Status) { *s = Status{Member: id, Up: true} })
	o.Observer = observer{p, id, o.Observer}
	log := &watchedLog{o.Log, p, id}
	if space, tells := o.Log.(storage.Space); tells {
		o.Log = watchedSpace{log, space}
	} else {
		o.Log = log
	}
}

// note changes what is known of a member at once, without an event.
func (p *Pauser) note(id protocol.MemberID, f func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.update(id, f)
}

// observer passes on what a host tells of its steps.
type observer struct {
	p    *Pauser
	id   protocol.MemberID
	next host.Observer // nil: none
}

// BeforeStep implements host.Observer.
func (o observer) BeforeStep(in replica.Input) {
	if _, message := in.(replica.Receive); !message { // the comms told of those
		o.p.pass(Event{Kind: Taken, Member: o.id, Input: in}, nil)
	}
	if o.next != nil {
		o.next.BeforeStep(in)
	}
}

// AfterStep implements host.Observer.
func (o observer) AfterStep(in replica.Input, e *replica.Effects, s replica.Status) {
	if o.next != nil {
		o.next.AfterStep(in, e, s)
	}
	o.p.change(o.id, func(x *Status) {
		x.Role, x.Term, x.Leader = s.Role, s.Term, s.Leader
		x.Last, x.Commit, x.Applied = s.Last.Index, s.Commit, max(x.Applied, s.Applied)
	})
}

// Applied implements host.Observer.
func (o observer) Applied(id protocol.EntryID) {
	if o.next != nil {
		o.next.Applied(id)
	}
	o.p.change(o.id, func(s *Status) { s.Applied = id.Index })
}

// Closed implements host.Observer.
func (o observer) Closed() {
	o.p.note(o.id, func(s *Status) { *s = Status{Member: o.id} })
	if o.next != nil {
		o.next.Closed()
	}
}

// change passes the news of what has become of a member, if it is any.
func (p *Pauser) change(id protocol.MemberID, f func(*Status)) {
	for _, old := range p.Look() {
		now := old
		f(&now)
		if old.Member == id && old == now {
			return
		}
	}
	p.pass(Event{Kind: Changed, Member: id}, f)
}

// watchedLog tells of writes that have become durable, before the host learns of it.
type watchedLog struct {
	storage.Log
	p  *Pauser
	id protocol.MemberID
}

// watchedSpace is a watchedLog that tells how full its disk is, as the log below does.
type watchedSpace struct {
	*watchedLog
	storage.Space
}

// Append implements storage.Log.
func (l *watchedLog) Append(entries []protocol.Entry, done func(error)) {
	l.Log.Append(entries, l.told(entries[len(entries)-1].Index, done))
}

// Reset implements storage.Log.
func (l *watchedLog) Reset(base protocol.EntryID, configuration []byte, done func(error)) {
	l.Log.Reset(base, configuration, l.told(base.Index, done))
}

func (l *watchedLog) told(last protocol.Index, done func(error)) func(error) {
	return func(err error) {
		if err == nil {
			l.p.pass(Event{Kind: Written, Member: l.id}, func(s *Status) { s.Stable = last })
		}
		done(err)
	}
}
