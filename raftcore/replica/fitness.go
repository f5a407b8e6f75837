package replica

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// FitnessLevel says how well a member could lead: what its disk is worth.
type FitnessLevel uint8

// The levels, ascending by what is wrong.
const (
	Fit    FitnessLevel = 0
	Unfit  FitnessLevel = 1 // it would lead badly, as with a slow disk: rather another
	Unable FitnessLevel = 2 // it must not lead: its disk hangs, or its log is damaged
)

// String gives the level's name.
func (l FitnessLevel) String() string {
	switch l {
	case Fit:
		return "Fit"
	case Unfit:
		return "Unfit"
	case Unable:
		return "Unable"
	}
	return fmt.Sprintf("FitnessLevel(%d)", uint8(l))
}

// patience is how many minimum election timeouts an unfit member leaves to the others: if
// all disks are slow the group still gets a leader.
const patience = 3

// setFitness takes what the caller has found out about its disk. The others hear of it
// with the next answer to their leader.
func (r *Replica) setFitness(l FitnessLevel) {
	if l > Unable || l == r.fitness {
		return
	}
	r.fitness = l
	switch {
	case r.role == Leader:
		r.stepAside()
	case (r.role == PreCandidate || r.role == Candidate) && !r.mayStand():
		r.becomeFollower(r.term, 0)
	}
}

// mayStand reports whether this member may ask for an election now. One that has promised
// not to, does not: its own vote counts like any other. One that is unfit waits until it is
// clear that nobody better does; a sole voter has nobody to wait for.
func (r *Replica) mayStand() bool {
	if r.keepsPromise() && r.timers.contact < r.cfg.ElectionTicks {
		return false
	}
	switch r.fitness {
	case Fit:
		return true
	case Unable:
		return r.cfg.Mutation.Has(mutation.UnableCampaigns)
	}
	return r.soleVoter() || r.timers.alone >= patience*r.cfg.ElectionTicks
}

// stepAside lets a leader that should not lead hand over to the best follower there is. An
// unfit leader stays while nobody fit is in sight that has nearly all of the log: it is better
// than none, and than one that takes no commands while it waits for a laggard, who could
// not win an election either. One that must not lead goes in any case.
func (r *Replica) stepAside() {
	if r.stays() {
		r.aside = 0
		return
	}
	if to := r.successor(); to != 0 && r.transfer.to == 0 {
		r.transfer = transfer{to: to}
	}
}

// tickAside counts how long a leader tries to hand over, and makes it resign when that
// takes an election timeout. It reports whether it still leads.
func (r *Replica) tickAside() bool {
	r.stepAside()
	if r.stays() {
		return true
	}
	if r.aside++; r.aside < r.cfg.ElectionTicks {
		return true
	}
	r.resign()
	return false
}

// stays reports whether this leader may go on.
func (r *Replica) stays() bool {
	return r.fitness == Fit || r.fitness == Unfit && !r.fitSuccessor() || r.cfg.Mutation.Has(mutation.LeadWhileDiskHangs)
}

func (r *Replica) fitSuccessor() bool {
	p := r.follower(r.successor())
	return p != nil && !p.Unfit && r.isNear(p)
}
