package replica

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Status is a copy of what a replica knows.
type Status struct {
	ID      protocol.MemberID
	Role    Role
	Term    protocol.Term
	Vote    protocol.MemberID
	Leader  protocol.MemberID // 0: unknown
	Fitness FitnessLevel

	Base    protocol.EntryID // the entry before the first one in the log
	Last    protocol.EntryID
	Stable  protocol.Index // the log is durable up to here
	Commit  protocol.Index
	Handed  protocol.Index // given out to be applied
	Applied protocol.Index // told to be applied

	Membership    protocol.Membership // in effect
	Configuration protocol.EntryID    // of its entry; zero: the initial one
	Settled       bool                // it is committed, as far as this member knows
	Removed       bool                // and this member, which was one, is none any more
	Followers     []FollowerStatus    // ascending by ID; of a leader only
}

// FollowerStatus is what a leader knows of one follower.
type FollowerStatus struct {
	ID            protocol.MemberID
	State         progress.State
	Match         protocol.Index
	Next          protocol.Index
	Inflight      int                  // requests with entries that are not answered
	InflightBytes int                  // of their entries
	Silent        int                  // ticks since it was heard
	Heard         bool                 // it has answered this leader, and lately
	Unfit         bool                 // it said that it should not lead
	Volume        protocol.Incarnation // that was heard first in this term; 0: none yet

	Departing bool // it was removed, and is fed until it may have learned of it
}

// Status tells what the replica knows.
func (r *Replica) Status() Status {
	s := Status{
		ID: r.cfg.ID, Role: r.role, Term: r.term, Vote: r.vote, Leader: r.leader, Fitness: r.fitness,
		Base: r.log.base, Last: r.log.lastID(), Stable: r.writes.stable,
		Commit: r.commit, Handed: r.handed, Applied: r.applied,
		Membership: r.membership.Clone(), Configuration: r.inEffect.id, Settled: r.inEffect.id.Index <= r.commit,
	}
	s.Removed = s.Settled && membership.WasRemoved(r.membership, r.cfg.ID)
	for i := range r.followers {
		p := &r.followers[i]
		s.Followers = append(s.Followers, FollowerStatus{
			ID: p.ID, State: p.State(), Match: p.Match, Next: p.Next, Inflight: p.Inflight(), InflightBytes: p.InflightBytes(), Silent: p.Silent, Heard: r.answeredLately(p.ID), Unfit: p.Unfit, Volume: p.Volume(), Departing: p.Departing > 0,
		})
	}
	return s
}

// Unrecorded gives the members of a leader's membership that have no volume recorded, each with
// the one that the leader has heard; own is that of the leader. They are none until all such
// voters were heard, so that a new group gets one entry.
//
// Of two volumes that were heard in its term the first counts: the leader may have counted
// what that one had acknowledged, and the second has come up without it.
func (s Status) Unrecorded(own protocol.Incarnation) (heard []protocol.Member) {
	volumes := map[protocol.MemberID]protocol.Incarnation{s.ID: own}
	for _, f := range s.Followers {
		volumes[f.ID] = f.Volume
	}
	for _, m := range s.Membership.Members {
		if m.Incarnation != 0 || m.Address == "" {
			continue
		}
		if m.Incarnation = volumes[m.ID]; m.Incarnation != 0 {
			heard = append(heard, m)
		} else if m.Suffrage == protocol.Voter {
			return nil
		}
	}
	return heard
}

// TermAt gives the term of the entry at an index, and whether it is known: the base
// and everything after it is.
func (r *Replica) TermAt(i protocol.Index) (protocol.Term, bool) { return r.log.term(i) }

// String gives the role's name.
func (r Role) String() string {
	switch r {
	case Follower:
		return "Follower"
	case PreCandidate:
		return "PreCandidate"
	case Candidate:
		return "Candidate"
	case Leader:
		return "Leader"
	case Learner:
		return "Learner"
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}
