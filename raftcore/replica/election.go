package replica

import (
	"slices"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// electionTimeout is when nothing was heard for too long: a voter asks for an
// election, first only whether it could win one (thesis section 9.6). A candidate
// that has not won within its timeout starts anew in the same way.
func (r *Replica) electionTimeout() {
	if r.mayCampaign() && r.mayStand() {
		r.startPreVote(r.timers.hurry)
		return
	}
	r.becomeFollower(r.term, 0)
}

// disconnected hears that a member's process may be dead. When it was the leader
// there is no need to wait for the timeout: asking is harmless.
func (r *Replica) disconnected(m protocol.MemberID) {
	if p := r.follower(m); p != nil {
		p.Lost()
		return
	}
	if m == 0 || m != r.leader {
		return
	}
	if r.keepsPromise() {
		r.standAfterPromise()
		return
	}
	r.forgetLeaderContact()
	if r.role == Follower && r.fitness == Fit {
		r.startPreVote(true)
	}
}

// startPreVote asks all voters whether they would vote for this one in the next
// term. Nobody's term changes.
func (r *Replica) startPreVote(hasty bool) {
	r.becomeFollower(r.term, 0)
	r.role, r.hasty = PreCandidate, hasty
	r.votes = append(r.votes, r.cfg.ID)
	if r.won() {
		r.campaign(false)
		return
	}
	for _, id := range r.peers {
		if r.voters.Has(id) {
			r.askPreVote(id)
		}
	}
}

func (r *Replica) askPreVote(of protocol.MemberID) {
	r.emit(of, r.term+1, &protocol.PreVoteRequest{Last: r.log.lastID()})
}

// campaign starts an election (paper section 5.2). The term always rises, also
// when the last election was this member's own. Its vote for itself counts once it
// is durable, and no request leaves before (see the rule on Replica).
func (r *Replica) campaign(transfer bool) {
	r.becomeFollower(r.term+1, 0)
	r.role, r.vote = Candidate, r.cfg.ID
	ask := &protocol.VoteRequest{Last: r.log.lastID(), Transfer: transfer}
	for _, id := range r.peers {
		if r.voters.Has(id) {
			r.send(id, ask)
		}
	}
}

// campaignNow is the other end of a transfer: the leader has seen to it that this
// log is complete, so no pre-vote is needed (thesis section 3.10). One that is only unfit
// obeys: somebody wanted just this member.
func (r *Replica) campaignNow(m protocol.Message) {
	if r.fitness != Unable && (r.leader == 0 || r.leader == m.From) {
		r.campaign(true)
	}
}

func (r *Replica) won() bool {
	return r.voters.Reached(func(id protocol.MemberID) bool { return slices.Contains(r.votes, id) })
}

// answerPreVote says whether this member would vote for the sender in m.Term,
// which is the term that it would campaign in.
func (r *Replica) answerPreVote(m protocol.Message) {
	ask := m.Body.(*protocol.PreVoteRequest)
	free := m.Term > r.term || r.vote == 0 || r.vote == m.From
	if !r.inContact() && free && r.upToDate(ask.Last) && r.givesWay(m.From, ask.Last) {
		r.emit(m.From, m.Term, &protocol.PreVoteResponse{Granted: true, Incarnation: r.cfg.Incarnation})
		return
	}
	r.send(m.From, &protocol.PreVoteResponse{})
	if r.role == PreCandidate && r.hasty {
		r.askPreVote(m.From) // it may have refused while it still heard from the leader
	}
}

// givesWay decides between two that begin at the same moment because the same
// leader's connection broke, when their logs are equal: the lower ID goes first, and the
// other gives up its own pre-vote. It holds for that first round only; after
// an election timeout everybody is granted what paper section 5.4.1 allows, so that
// no member can be stopped for good by one that cannot win.
func (r *Replica) givesWay(to protocol.MemberID, last protocol.EntryID) bool {
	if r.role != PreCandidate || !r.hasty || last != r.log.lastID() {
		return true
	}
	if to > r.cfg.ID {
		return false
	}
	r.becomeFollower(r.term, 0)
	return true
}

// takePreVote counts an answer to this pre-candidate.
func (r *Replica) takePreVote(m protocol.Message) {
	if a := m.Body.(*protocol.PreVoteResponse); !a.Granted || m.Term != r.term+1 || !r.remembers(m.From, a.Incarnation) {
		return
	}
	r.record(m.From)
	if r.won() {
		r.campaign(false)
	}
}

// answerVote grants at most one vote a term, first come first served, to a
// candidate whose log is at least as up to date (paper sections 5.2 and 5.4.1).
// Terms are equal here: a lower one was refused and a higher one taken over before.
//
// A learner votes too: it may be a voter by a configuration that it has not
// received yet, and a candidate counts only those that are voters by its own
// (thesis section 4.2.2).
func (r *Replica) answerVote(m protocol.Message) {
	ask := m.Body.(*protocol.VoteRequest)
	free := r.vote == m.From || r.vote == 0 && r.leader == 0 || r.cfg.Mutation.Has(mutation.VoteTwice)
	promised := r.keepsPromise() && r.inContact() && !ask.Transfer
	if !free || promised || !r.upToDate(ask.Last) {
		r.send(m.From, &protocol.VoteResponse{})
		return
	}
	if r.vote == 0 {
		r.becomeFollower(r.term, 0)
		r.vote, r.writes.hard = m.From, true
	}
	r.send(m.From, &protocol.VoteResponse{Granted: true, Incarnation: r.cfg.Incarnation})
}

// upToDate compares the candidate's last entry with the own one: the last terms
// first, and only when they are equal the last indexes (paper section 5.4.1).
// Comparing the indexes alone would elect a leader without committed entries.
func (r *Replica) upToDate(last protocol.EntryID) bool {
	if r.cfg.Mutation.Has(mutation.VoteByIndexOnly) {
		return last.Index >= r.log.last
	}
	return last.UpToDate(r.log.lastID())
}

// takeVote counts an answer to this candidate.
func (r *Replica) takeVote(m protocol.Message) {
	if a := m.Body.(*protocol.VoteResponse); a.Granted && r.remembers(m.From, a.Incarnation) {
		r.countVote(m.From)
	}
}

// remembers reports whether the volume that voted may be the one that knows what this member
// has acknowledged. Where another one is recorded, it was wiped: what it acknowledged is
// gone, and a leader elected by its vote may lack what was committed by it (Leader
// Completeness, paper section 5.4.3).
func (r *Replica) remembers(id protocol.MemberID, i protocol.Incarnation) bool {
	x, _ := r.membership.Find(id)
	return x.Incarnation == 0 || x.Incarnation == i || r.cfg.Mutation.Has(mutation.WipedVolumeVotes)
}

func (r *Replica) countVote(from protocol.MemberID) {
	r.record(from)
	if r.won() {
		r.becomeLeader()
	}
}

func (r *Replica) record(from protocol.MemberID) {
	if !slices.Contains(r.votes, from) {
		r.votes = append(r.votes, from)
	}
}

// becomeFollower is also the first step of every other change of role: it ends what
// belonged to the old one. A higher term comes with no vote given.
func (r *Replica) becomeFollower(t protocol.Term, leader protocol.MemberID) {
	if t > r.term {
		r.term, r.vote, r.writes.hard = t, 0, true
		r.heardRound = 0
		r.forwards.forget()
	}
	if r.role == Leader {
		r.stopLeading()
	}
	if leader != r.leader {
		r.refuseSentReads()
	}
	r.role, r.leader = r.passiveRole(), leader
	r.votes, r.hasty = r.votes[:0], false
	r.resetElectionTimer()
}
