package pauser

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

func compare(a, b protocol.MemberID) int { return cmp.Compare(a, b) }

// drive lets the events happen one at a time until the group stands: after each of them
// it waits until all that follows from it has come to a gate.
func (p *Pauser) drive(ctx context.Context) error {
	for round := 1; ; round++ {
		p.Settle()
		stands, arrived := p.choose(round)
		switch {
		case stands:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("waiting until the group is paused: %w", ctx.Err())
		case arrived != nil:
			select {
			case <-arrived:
			case <-ctx.Done():
			}
		}
	}
}

// choose judges the passage whose turn it is. When none waits it gives the channel that
// is closed when one comes; stands tells that there is nothing more to drive.
func (p *Pauser) choose(round int) (stands bool, arrived chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.state
	if s.at != nil || s.until == nil {
		return true, nil
	}
	if len(s.queue) == 0 {
		return false, signal(&s.arrived)
	}
	for _, x := range s.queue {
		if x.round == 0 {
			x.round = round
		}
	}
	first := slices.MinFunc(s.queue, inTurn)
	s.queue = slices.DeleteFunc(s.queue, func(x *passage) bool { return x == first })
	s.judge(first)
	return s.at != nil, nil
}

// inTurn orders what waits at the same time: those that came earlier are first, so that
// nobody waits for ever, and among those that came together the lower member is.
func inTurn(a, b *passage) int {
	kind := func(x *passage) protocol.MessageKind {
		if x.event.Message.Body == nil {
			return 0
		}
		return x.event.Message.Body.Kind()
	}
	return cmp.Or(
		cmp.Compare(a.round, b.round),
		cmp.Compare(a.event.Member, b.event.Member),
		cmp.Compare(a.event.Kind, b.event.Kind),
		cmp.Compare(a.event.Message.From, b.event.Message.From),
		cmp.Compare(a.event.Message.To, b.event.Message.To),
		cmp.Compare(kind(a), kind(b)),
	)
}
