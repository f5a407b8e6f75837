package replica

import "github.com/quorate/quorate/raftcore/protocol"

// resign gives up leadership or candidacy without a new term. A leader tells the others:
// it can never lead in this term again, so they need not wait for an election timeout, and
// those that heard it to the end are free to help elect another. In a network where only
// some members reach a quorum, one of them may be among these.
func (r *Replica) resign() {
	switch r.role {
	case Leader:
		for _, id := range r.peers {
			r.send(id, &protocol.Resigned{})
		}
	case Candidate, PreCandidate:
	default:
		return
	}
	r.forgetLeaderContact()
	r.becomeFollower(r.term, 0)
}

// leaderResigned drops the leader of this term at its own word; from anybody else, or
// again, the word says nothing.
//
// All hear it at the same moment, and the one that resigned helps whoever asks: they
// would split its vote and their own. So they take turns, the lowest ID first, at intervals
// in which an election is decided.
func (r *Replica) leaderResigned(m protocol.Message) {
	if m.From != r.leader {
		return
	}
	r.forgetLeaderContact()
	turn := 0
	for _, id := range r.peers {
		if id < r.cfg.ID && id != m.From && r.voters.Has(id) {
			turn++
		}
	}
	if turn == 0 && r.role == Follower && r.fitness == Fit {
		r.startPreVote(true)
		return
	}
	r.becomeFollower(r.term, 0)
	if r.fitness == Fit {
		r.timers.timeout, r.timers.hurry = min(r.timers.timeout, turn*r.cfg.HeartbeatTicks), true
	}
}
