package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// lease lets a leader answer reads without asking (thesis section 6.4.1). A member that
// hears its leader promises to help elect no other for ElectionTicks of its own clock. So
// for some ticks after a round of requests began that a quorum has echoed, no other can
// lead, and this leader's commit index is the newest there is.
//
// The promise holds through everything that ends contact sooner where there are no leases:
// a broken connection, a higher term, a restart (see keepsPromise). It ends early only at
// the leader's own word: Resigned is sent by who has stopped leading, and TimeoutNow lets
// its target be elected at once, whenever it arrives in this term: from then on this
// leader has no lease any more.
//
// Ticks must keep pace with time: the caller steps all that are due before it steps a read
// or a message that came before them (see doc.go).
type lease struct {
	ticks int    // of this leadership
	round uint64 // under way; 0: none
	asked int    // when that one began
	start int    // when the last one began that a quorum has echoed
	held  bool   // there was such a one
	over  bool   // TimeoutNow was sent in this term
}

// keepsPromise reports whether this member's leader may rely on a lease.
func (r *Replica) keepsPromise() bool { return r.cfg.LeasePromise || r.cfg.LeaseTicks > 0 }

// beginLeaseRound gives the heartbeats that follow a round of their own. One is under way at
// a time, so that one that takes longer than a heartbeat interval comes to its end.
func (r *Replica) beginLeaseRound() {
	l := &r.lease
	if r.cfg.LeaseTicks == 0 || l.round != 0 {
		return
	}
	r.reads.round++
	l.round, l.asked = r.reads.round, l.ticks
}

// renewLease counts the time from when the round began, not from the answers.
func (r *Replica) renewLease() {
	l := &r.lease
	if l.round == 0 || !r.voters.Reached(func(id protocol.MemberID) bool { return r.hasEchoed(id, l.round) }) {
		return
	}
	l.start, l.held, l.round = l.asked, true, 0
	if r.cfg.Mutation.Has(mutation.LeaseFromAnswer) {
		l.start = l.ticks
	}
}

// hasLease reports whether nobody else can lead now.
func (r *Replica) hasLease() bool {
	l := &r.lease
	length := r.cfg.LeaseTicks
	if length > 0 && r.cfg.Mutation.Has(mutation.LeaseWithoutDrift) {
		length = r.cfg.ElectionTicks
	}
	handsOver := (l.over || r.transfer.to != 0) && !r.cfg.Mutation.Has(mutation.LeaseAfterTransfer)
	return l.held && !handsOver && l.ticks-l.start < length
}

// standAfterPromise is what a member does in place of a hasty pre-vote: it asks as soon as
// its promise to the leader whose connection broke has ended.
func (r *Replica) standAfterPromise() {
	t := &r.timers
	t.timeout = min(t.timeout, t.election+r.cfg.ElectionTicks-t.contact)
	t.hurry = true
}
