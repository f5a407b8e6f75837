package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// handler does what one role does about one kind of message, which has the
// replica's own term (PreVote messages: see protocol.Message).
type handler func(*Replica, protocol.Message)

const (
	roles = Learner + 1
	kinds = protocol.KindRepairResponse + 1
)

// dispatch has a handler for every role and every kind of message. A test holds this
// picture against it:
//
//	                 | Follower      | PreCandidate  | Candidate     | Leader          | Learner
//	PreVoteRequest   | answerPreVote | answerPreVote | answerPreVote | answerPreVote   | answerPreVote
//	PreVoteResponse  | ignore        | takePreVote   | ignore        | ignore          | ignore
//	VoteRequest      | answerVote    | answerVote    | answerVote    | answerVote      | answerVote
//	VoteResponse     | ignore        | ignore        | takeVote      | ignore          | ignore
//	AppendRequest    | follow        | follow        | follow        | twoLeaders      | follow
//	AppendResponse   | ignore        | ignore        | ignore        | takeAnswer      | ignore
//	SnapshotRequest  | hearLeader    | hearLeader    | hearLeader    | twoLeaders      | hearLeader
//	SnapshotResponse | ignore        | ignore        | ignore        | hearFollower    | ignore
//	TimeoutNow       | campaignNow   | campaignNow   | ignore        | ignore          | ignore
//	ReadRequest      | refuseRead    | refuseRead    | refuseRead    | takeReadRequest | refuseRead
//	ReadResponse     | takeReadIndex | ignore        | ignore        | ignore          | takeReadIndex
//	Forward          | refuseForward | refuseForward | ignore        | takeForward     | refuseForward
//	ForwardRefused   | takeRefusal   | takeRefusal   | ignore        | ignore          | takeRefusal
//	Resigned         | leaderResigned | ignore       | ignore        | ignore          | leaderResigned
//	RepairRequest    | ignore        | ignore        | ignore        | ignore          | ignore
//	RepairResponse   | ignore        | ignore        | ignore        | ignore          | ignore
//
// A Forward that reaches another than the leader is refused, not passed on: it can never
// travel in circles. A Candidate never led in its term.
var dispatch = func() (table [roles][kinds]handler) {
	for role := range table {
		table[role] = [kinds]handler{
			protocol.KindPreVoteRequest:   (*Replica).answerPreVote,
			protocol.KindPreVoteResponse:  (*Replica).ignore,
			protocol.KindVoteRequest:      (*Replica).answerVote,
			protocol.KindVoteResponse:     (*Replica).ignore,
			protocol.KindAppendRequest:    (*Replica).follow,
			protocol.KindAppendResponse:   (*Replica).ignore,
			protocol.KindSnapshotRequest:  (*Replica).hearLeader,
			protocol.KindSnapshotResponse: (*Replica).ignore,
			protocol.KindTimeoutNow:       (*Replica).ignore,
			protocol.KindReadRequest:      (*Replica).refuseRead,
			protocol.KindReadResponse:     (*Replica).ignore,
			protocol.KindForward:          (*Replica).ignore,
			protocol.KindForwardRefused:   (*Replica).ignore,
			protocol.KindResigned:         (*Replica).ignore,
			protocol.KindRepairRequest:    (*Replica).ignore,
			protocol.KindRepairResponse:   (*Replica).ignore,
		}
	}
	table[Follower][protocol.KindTimeoutNow] = (*Replica).campaignNow
	table[Follower][protocol.KindReadResponse] = (*Replica).takeReadIndex
	table[Learner][protocol.KindReadResponse] = (*Replica).takeReadIndex
	for _, role := range [...]Role{Follower, PreCandidate, Learner} {
		table[role][protocol.KindForward] = (*Replica).refuseForward
		table[role][protocol.KindForwardRefused] = (*Replica).takeRefusal
	}
	table[Follower][protocol.KindResigned] = (*Replica).leaderResigned
	table[Learner][protocol.KindResigned] = (*Replica).leaderResigned
	table[PreCandidate][protocol.KindPreVoteResponse] = (*Replica).takePreVote
	table[PreCandidate][protocol.KindTimeoutNow] = (*Replica).campaignNow
	table[Candidate][protocol.KindVoteResponse] = (*Replica).takeVote
	table[Leader][protocol.KindAppendRequest] = (*Replica).twoLeaders
	table[Leader][protocol.KindAppendResponse] = (*Replica).takeAnswer
	table[Leader][protocol.KindSnapshotRequest] = (*Replica).twoLeaders
	table[Leader][protocol.KindSnapshotResponse] = (*Replica).hearFollower
	table[Leader][protocol.KindReadRequest] = (*Replica).takeReadRequest
	table[Leader][protocol.KindForward] = (*Replica).takeForward
	return table
}()

func (r *Replica) receive(m protocol.Message) {
	if m.Body == nil || m.Body.Kind() >= kinds || m.To != r.cfg.ID || m.From == 0 || m.From == r.cfg.ID {
		return
	}
	if m.Term < r.term {
		r.receiveLower(m)
		return
	}
	if m.Term > r.term && !r.receiveHigher(m) {
		return
	}
	if h := dispatch[r.role][m.Body.Kind()]; h != nil {
		h(r, m)
	}
}

// receiveHigher makes this member a follower in the higher term (paper section 5.1)
// and reports whether the message is to be handled.
func (r *Replica) receiveHigher(m protocol.Message) bool {
	switch body := m.Body.(type) {
	case *protocol.PreVoteRequest:
		return true // asks about a term that nobody is in
	case *protocol.PreVoteResponse:
		if body.Granted {
			return true // echoes that term
		}
	case *protocol.VoteRequest:
		// A member that was cut off must not depose a leader that others hear (paper
		// section 6); a leader that wants to be deposed says so.
		if !body.Transfer && r.inContact() {
			return false
		}
	}
	r.becomeFollower(m.Term, 0)
	return true
}

// receiveLower answers requests of an older term, so that the sender learns of the
// newer one (paper section 5.1). The sender may lead again in the newer term: then an answer
// in that term must not pass for one about the newer leadership, neither about its log nor
// about its read rounds, and so it tells nothing but the term. Late responses count for
// nothing.
func (r *Replica) receiveLower(m protocol.Message) {
	switch body := m.Body.(type) {
	case *protocol.PreVoteRequest:
		r.send(m.From, &protocol.PreVoteResponse{})
	case *protocol.VoteRequest:
		r.send(m.From, &protocol.VoteResponse{})
	case *protocol.AppendRequest:
		a := &protocol.AppendResponse{Rejected: true, Incarnation: r.cfg.Incarnation, Boot: r.cfg.Boot}
		if r.cfg.Mutation.Has(mutation.LateRefusalEchoes) {
			a.Match, a.Round = body.Prev.Index, body.Round
		}
		r.send(m.From, a)
	case *protocol.SnapshotRequest:
		r.send(m.From, &protocol.SnapshotResponse{Last: body.Meta.Last, Rejected: true})
	case *protocol.ReadRequest:
		r.refuseRead(m)
	case *protocol.Resigned:
		if r.cfg.Mutation.Has(mutation.ResignedOfOldTerm) {
			r.leaderResigned(m)
		}
	}
}

func (r *Replica) ignore(protocol.Message) {}

// twoLeaders is what Election Safety forbids (paper figure 3).
func (r *Replica) twoLeaders(m protocol.Message) {
	r.violate("member %d leads in this term, and so does member %d", r.leader, m.From)
}

// send gives out a message in the current term, by the rule on Replica.
func (r *Replica) send(to protocol.MemberID, body protocol.Body) { r.emit(to, r.term, body) }

func (r *Replica) emit(to protocol.MemberID, t protocol.Term, body protocol.Body) {
	m := protocol.Message{From: r.cfg.ID, To: to, Term: t, Body: body}
	if r.writes.hardPending() {
		r.fx.SendAfterPersist = append(r.fx.SendAfterPersist, m)
		return
	}
	r.fx.Send = append(r.fx.Send, m)
}

// sendAfterPersist gives out a message that tells of entries not durable yet.
func (r *Replica) sendAfterPersist(to protocol.MemberID, body protocol.Body) {
	r.fx.SendAfterPersist = append(r.fx.SendAfterPersist, protocol.Message{From: r.cfg.ID, To: to, Term: r.term, Body: body})
}
