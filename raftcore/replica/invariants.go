package replica

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// CheckInvariants tells which of the invariants on Replica do not hold, by their
// numbers. It looks at everything in memory: it is for tests and simulations.
func (r *Replica) CheckInvariants() error {
	var broken []error
	hold := func(number int, ok bool, format string, args ...any) {
		if !ok {
			broken = append(broken, fmt.Errorf("invariant %d of replica %d: "+format, append([]any{number, r.cfg.ID}, args...)...))
		}
	}
	hold(1, r.log.base.Index <= r.handed && r.handed <= r.commit && r.commit <= r.log.last,
		"base %d, handed out %d, commit %d, last %d", r.log.base.Index, r.handed, r.commit, r.log.last)
	hold(1, r.handed <= r.writes.stable || r.writes.installPending(), "handed out %d, durable %d", r.handed, r.writes.stable)
	err := r.log.check()
	hold(2, err == nil, "%v", err)
	hold(2, r.log.lastID().Term <= r.term, "the log ends in term %d, the term is %d", r.log.lastID().Term, r.term)
	hold(2, r.writes.installPending() || r.log.first <= r.writes.stable+1, "durable up to %d, in memory from %d", r.writes.stable, r.log.first)
	r.checkRole(hold)
	r.checkWrites(hold)
	r.checkConfigurations(hold)
	return errors.Join(broken...)
}

type check func(number int, ok bool, format string, args ...any)

func (r *Replica) checkRole(hold check) {
	leads := r.role == Leader
	hold(3, !leads && r.role != Candidate || r.vote == r.cfg.ID, "%v has voted for %d", r.role, r.vote)
	hold(3, leads == (r.leader == r.cfg.ID), "%v follows %d", r.role, r.leader)
	hold(3, leads || r.lease == lease{} && r.lag.bytes == 0, "%v has the lease %+v and a lag of %d bytes", r.role, r.lease, r.lag.bytes)
	hold(3, leads || len(r.followers) == 0 && r.transfer == transfer{} && len(r.reads.asked)+len(r.reads.waiting) == 0,
		"%v has %d followers, transfer %v, %d reads", r.role, len(r.followers), r.transfer, len(r.reads.asked)+len(r.reads.waiting))
	bytes := 0
	for _, f := range r.forwards.sent {
		bytes += f.bytes
	}
	hold(7, bytes == r.forwards.bytes && (leads || len(r.forwards.sent) <= maxForwards && bytes <= r.cfg.MaxUncommittedBytes),
		"%d forwards of %d bytes, counted as %d", len(r.forwards.sent), bytes, r.forwards.bytes)
	hold(7, !leads && r.role != Candidate || len(r.forwards.sent) == 0, "%v remembers %d forwards", r.role, len(r.forwards.sent))
	for i := range r.followers {
		p := &r.followers[i]
		err := p.CheckInvariants()
		hold(4, err == nil, "%v", err)
		hold(4, p.Match <= r.log.last, "member %d matches up to %d, the last entry is %d", p.ID, p.Match, r.log.last)
	}
	if leads {
		bytes := protocol.Size(r.log.slice(max(r.settled+1, r.log.first), r.log.last))
		hold(6, bytes == r.unsettled, "%d bytes are not settled, counted as %d", bytes, r.unsettled)
		hold(6, r.settled >= min(r.commit, r.writes.stable), "settled up to %d, commit %d, durable %d", r.settled, r.commit, r.writes.stable)
	}
}

func (r *Replica) checkConfigurations(hold check) {
	cs := r.configurations
	for i, c := range cs[1:] {
		hold(8, c.id.Index > cs[i].id.Index && c.id.Index > r.log.base.Index && r.log.has(c.id), "the configuration of entry %d of term %d stands after that of %d, the log is (%d, %d]",
			c.id.Index, c.id.Term, cs[i].id.Index, r.log.base.Index, r.log.last)
	}
	hold(8, r.inEffect.id == cs.last().id || r.cfg.Mutation != 0, "the configuration of entry %d is in effect, the last one is of %d", r.inEffect.id.Index, cs.last().id.Index)
	if r.role != Leader {
		return
	}
	for _, id := range r.peers {
		hold(8, r.follower(id) != nil, "the progress of member %d is not known", id)
	}
}

func (r *Replica) checkWrites(hold check) {
	w := &r.writes
	before := w.durable
	for _, p := range w.pending {
		hold(5, p.seq > before && p.seq <= w.seq && p.from <= p.last, "write %d of [%d, %d] stands after %d, the last is %d", p.seq, p.from, p.last, before, w.seq)
		before = p.seq
	}
	hold(5, w.stable <= r.log.last, "durable up to %d, the last entry is %d", w.stable, r.log.last)
}
