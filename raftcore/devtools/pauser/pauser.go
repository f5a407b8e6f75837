package pauser

import (
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
	// Settle, if set, waits until every goroutine of the group stands still, as
	// synctest.Wait does in its bubble. With it the group moves only in Wait, Step and
	// StepTo while there is a condition: one event at a time, and of those that are due
	// together in an order that does not depend on the scheduler. It is set before the
	// first event.
	Settle func()

	mu    sync.Mutex
	state state
}

type state struct {
	until   Condition     // nil: none
	at      *passage      // where the group stands, nil: it goes on
	queue   []*passage    // what came meanwhile; its turn has not come
	arrived chan struct{} // closed when one joins the queue
	stopped chan struct{} // closed when the group stops
	look    []Status      // by ID; replaced, never changed
	open    bool          // for good
}

// passage is an event that wants to pass.
type passage struct {
	event  Event
	update func(*Status) // what it makes of the member's status when its turn has come
	round  int           // how often Settle chose while it did not wait yet
	pass   chan struct{} // closed when it may
}

// StopWhen pauses the group before the next event that meets the condition. It takes the
// place of an earlier condition; nil lets the group go on for good.
func (p *Pauser) StopWhen(c Condition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	s.until = c
	if c == nil && s.at == nil {
		s.drain()
	}
}

// Pass is called before an event takes effect. It returns when the event may.
func (p *Pauser) Pass(e Event) { p.pass(e, nil) }

// pass lets an event pass that, when its turn has come, makes update of the member's status.
func (p *Pauser) pass(e Event, update func(*Status)) {
	x := &passage{event: e, update: update, pass: make(chan struct{})}
	p.arrive(x)
	<-x.pass
}

func (p *Pauser) arrive(x *passage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	if s.at != nil || (p.Settle != nil && s.until != nil) {
		s.queue = append(s.queue, x)
		close(signal(&s.arrived))
		s.arrived = nil
		return
	}
	s.judge(x)
}

// judge lets a passage take its turn: it passes, or the group stands before it.
func (s *state) judge(x *passage) {
	if x.update != nil {
		x.event.Status = s.update(x.event.Member, x.update)
	}
	x.event.Group = s.look
	if s.open || s.until == nil || !s.until(x.event) {
		close(x.pass)
		return
	}
	s.at, s.until = x, nil
	close(signal(&s.stopped))
}

// drain judges what is queued, until the group stands again.
func (s *state) drain() {
	for s.at == nil && len(s.queue) > 0 {
		x := s.queue[0]
		s.queue = s.queue[1:]
		s.judge(x)
	}
}

// signal gives the channel that is to be closed, and makes it when there is none.
func signal(c *chan struct{}) chan struct{} {
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// Wait waits until the group is paused and gives the event at which it stands.
func (p *Pauser) Wait(ctx context.Context) (Event, error) {
	if p.Settle != nil {
		if err := p.drive(ctx); err != nil {
			return Event{}, err
		}
	}
	p.mu.Lock()
	stopped := signal(&p.state.stopped)
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
	return p.state.at.event, nil
}

// Look gives what is known of the members, by ID. While the group is paused it does
// not change.
func (p *Pauser) Look() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.state.look)
}

// Continue lets the group go on, until the next condition if StopWhen gave one.
func (p *Pauser) Continue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proceed()
}

func (p *Pauser) proceed() {
	s := &p.state
	if s.at != nil {
		close(s.at.pass)
		s.at, s.stopped = nil, nil
	}
	if p.Settle == nil || s.until == nil {
		s.drain()
	}
}

// Step lets the n events from the one at which the group stands happen, and gives the
// event before which it stands then.
func (p *Pauser) Step(ctx context.Context, n int) (Event, error) {
	return p.StepTo(ctx, After(n))
}

// StepTo lets the event at which the group stands happen, and what follows until the
// condition is met: the next message that arrives anywhere, say.
func (p *Pauser) StepTo(ctx context.Context, c Condition) (Event, error) {
	p.mu.Lock()
	p.state.until = c
	p.proceed()
	p.mu.Unlock()
	return p.Wait(ctx)
}

// Close lets everything go on for good, as before hosts are closed.
func (p *Pauser) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.open, p.state.until = true, nil
	p.proceed()
}

// update changes what is known of a member.
func (s *state) update(id protocol.MemberID, f func(*Status)) Status {
	look := slices.Clone(s.look)
	i, known := slices.BinarySearchFunc(look, id, func(x Status, id protocol.MemberID) int { return compare(x.Member, id) })
	if !known {
		look = slices.Insert(look, i, Status{Member: id, Up: true})
	}
	f(&look[i])
	s.look = look
	return look[i]
}
