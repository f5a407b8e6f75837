package pauser

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Pauser stops a group of real hosts: everything that tells it of an event by Pass
// waits there while the group is paused. [Pauser.Attach] makes a host do so, and
// memcomms.Watched the comms. The zero value lets everything through.
type Pauser struct {
	mu    sync.Mutex
	state state
}

type state struct {
	until   Condition     // nil: none
	at      *Event        // the event at which the group stands, nil: it goes on
	gate    chan struct{} // closed when the group goes on
	stopped chan struct{} // closed when the group stops
	look    map[protocol.MemberID]Status
	open    bool // for good
}

// StopWhen pauses the group before the next event that meets the condition. It takes the
// place of an earlier condition; nil lets the group go on for good.
func (p *Pauser) StopWhen(c Condition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.until = c
}

// Pass is called before an event takes effect. It returns when the event may.
func (p *Pauser) Pass(e Event) { p.pass(&e, nil) }

// pass lets an event pass that, when its turn has come, makes f of the member's status.
func (p *Pauser) pass(e *Event, f func(*Status)) {
	for {
		gate, mine := p.arrive(e, f)
		if gate == nil {
			return
		}
		<-gate
		if mine {
			return
		}
	}
}

// arrive judges an event. It gives no gate when the event may pass, and else the gate
// to wait at; mine tells that it is this event at which the group stands.
func (p *Pauser) arrive(e *Event, f func(*Status)) (gate chan struct{}, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	if s.at != nil {
		return s.gate, false
	}
	if f != nil {
		e.Status = s.update(e.Member, f)
	}
	if s.open || s.until == nil || !s.until(*e) {
		return nil, false
	}
	s.at, s.until, s.gate = e, nil, make(chan struct{})
	close(s.signal())
	return s.gate, true
}

// signal gives the channel that is closed when the group stops.
func (s *state) signal() chan struct{} {
	if s.stopped == nil {
		s.stopped = make(chan struct{})
	}
	return s.stopped
}

// Wait waits until the group is paused and gives the event at which it stands.
func (p *Pauser) Wait(ctx context.Context) (Event, error) {
	p.mu.Lock()
	stopped := p.state.signal()
	p.mu.Unlock()
	select {
	case <-stopped:
	case <-ctx.Done():
		return Event{}, fmt.Errorf("waiting until the group is paused: %w", ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state.at == nil {
		return Event{}, fmt.Errorf("waiting until the group is paused: it was let go on")
	}
	return *p.state.at, nil
}

// Look gives what is known of the members, by ID. While the group is paused it does
// not change. Of a host, a commit index is known when it was applied.
func (p *Pauser) Look() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Status
	for _, s := range p.state.look {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Member, b.Member) })
	return all
}

// Continue lets the group go on, until the next condition if StopWhen gave one.
func (p *Pauser) Continue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.proceed()
}

func (s *state) proceed() {
	if s.at == nil {
		return
	}
	s.at, s.stopped = nil, nil
	close(s.gate)
}

// Step lets the n events from the one at which the group stands happen, and gives the
// event before which it stands then.
func (p *Pauser) Step(ctx context.Context, n int) (Event, error) {
	p.mu.Lock()
	p.state.until = After(n)
	p.state.proceed()
	p.mu.Unlock()
	return p.Wait(ctx)
}

// Close lets everything go on for good, as before hosts are closed.
func (p *Pauser) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.open = true
	p.state.proceed()
}

func (s *state) update(id protocol.MemberID, f func(*Status)) Status {
	if s.look == nil {
		s.look = map[protocol.MemberID]Status{}
	}
	x := s.look[id]
	x.Member, x.Up = id, true
	f(&x)
	s.look[id] = x
	return x
}

// change passes the news of what has become of a member.
func (p *Pauser) change(id protocol.MemberID, f func(*Status)) {
	p.pass(&Event{Kind: Changed, Member: id}, f)
}
