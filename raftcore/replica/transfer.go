package replica

import (
	"slices"

	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// transfer is a leader's handing over (thesis section 3.10). Zero: there is none.
type transfer struct {
	to    protocol.MemberID
	ticks int
	asked bool // TimeoutNow was sent since the last heartbeat
}

// startTransfer stops taking proposals until the target has won an election or
// an election timeout has passed.
func (r *Replica) startTransfer(to protocol.MemberID) {
	if r.role != Leader || r.transfer.to != 0 {
		return
	}
	if to == 0 {
		to = r.successor()
	}
	if to == r.cfg.ID || !r.mayLead(to) {
		return
	}
	r.transfer = transfer{to: to}
}

// mayLead reports whether a follower is a voter that will stay one. A volume that was wiped
// does not campaign.
func (r *Replica) mayLead(id protocol.MemberID) bool {
	p := r.follower(id)
	return p != nil && slices.Contains(r.voters.Incoming, id) && (!p.Heard() || r.remembers(id, p.Incarnation()))
}

// successor gives the voter that was heard lately and should lead next: one that lacks little
// of the log before laggards, a fit one before those that are not, then the one with the
// longest matching log; 0 when there is none.
func (r *Replica) successor() protocol.MemberID {
	var best *progress.Progress
	better := func(p *progress.Progress) bool {
		switch {
		case best == nil:
			return true
		case r.isNear(p) != r.isNear(best):
			return r.isNear(p)
		case p.Unfit != best.Unfit:
			return best.Unfit
		}
		return p.Match > best.Match
	}
	for i := range r.followers {
		p := &r.followers[i]
		if r.mayLead(p.ID) && r.heardLately(p.ID) && better(p) {
			best = p
		}
	}
	if best == nil {
		return 0
	}
	return best.ID
}

// isNear reports whether a follower lacks so little of what is committed that it can have the
// whole log soon. What a new leader has from its predecessors may be committed, though it does
// not know it yet.
func (r *Replica) isNear(p *progress.Progress) bool {
	return p.Match+protocol.Index(r.cfg.MaxPromotionLag) >= max(r.commit, r.ownFirst-1)
}

// continueTransfer lets the target campaign as soon as it has the whole log.
func (r *Replica) continueTransfer() {
	t := &r.transfer
	if t.to == 0 || t.asked {
		return
	}
	if p := r.follower(t.to); p.Match == r.log.last {
		t.asked, r.lease.over = true, true
		r.send(t.to, &protocol.TimeoutNow{})
	}
}

// tickTransfer repeats what may be lost, and goes on as leader when the target does
// not take over in time; one that was removed ends instead.
func (r *Replica) tickTransfer(beat bool) {
	t := &r.transfer
	if t.to == 0 {
		return
	}
	t.ticks++
	if t.ticks >= r.cfg.ElectionTicks {
		*t = transfer{}
		if r.inEffect.committed && !r.voters.Has(r.cfg.ID) {
			r.resign()
		}
		return
	}
	if beat {
		t.asked = false
	}
}
