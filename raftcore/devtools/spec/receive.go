package spec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// receive finds what the arrival of a message leads to.
func (s *step) receive(m protocol.Message) error {
	x := s.messages[m]
	if x == nil || !x.left || x.taken > 0 {
		if err := s.DuplicateMessage(m); err != nil {
			return err
		}
	}
	x.taken++
	// A replica may ignore a request of a higher term, as one for a vote while it hears a leader;
	// and those about pre-votes carry a term that nobody is in.
	if m.Term > s.v.currentTerm && s.after.Term >= m.Term && !aboutPreVote(m) {
		if err := s.UpdateTerm(s.i, m); err != nil {
			return err
		}
	}
	switch b := m.Body.(type) {
	case *protocol.VoteRequest:
		return s.voteRequest(m, b)
	case *protocol.VoteResponse:
		if m.Term < s.v.currentTerm {
			return s.DropStaleResponse(s.i, m)
		}
		return s.HandleRequestVoteResponse(s.i, m.From, m, b.Granted)
	case *protocol.AppendRequest:
		return s.appendRequest(m, b)
	case *protocol.AppendResponse:
		return s.appendResponse(m, b)
	case *protocol.SnapshotRequest:
		return s.hearLeader(m)
	}
	return nil
}

func aboutPreVote(m protocol.Message) bool {
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest:
		return true
	case *protocol.PreVoteResponse:
		return b.Granted
	}
	return false
}

// reply finds the answer of a kind in the effects.
func reply[B protocol.Body](s *step, to server) (B, bool) {
	for _, list := range [][]protocol.Message{s.fx.Send, s.fx.SendAfterPersist} {
		for _, m := range list {
			if b, ok := m.Body.(B); ok && m.To == to {
				return b, true
			}
		}
	}
	var none B
	return none, false
}

func (s *step) voteRequest(m protocol.Message, ask *protocol.VoteRequest) error {
	answer, ok := reply[*protocol.VoteResponse](s, m.From)
	if !ok {
		return s.DropMessage(m)
	}
	return s.HandleRequestVoteRequest(s.i, m.From, m, ask, answer.Granted)
}

// hearLeader ends a candidacy when the term has a leader.
func (s *step) hearLeader(m protocol.Message) error {
	if m.Term != s.v.currentTerm || s.v.state != candidate || role(s.after.Role) == candidate {
		return nil
	}
	if _, ok := s.reignLog(m.Term); !ok {
		return disabled("ReturnToFollowerState", "nobody leads term %d", m.Term)
	}
	return s.ReturnToFollowerState(s.i, m)
}

func (s *step) appendRequest(m protocol.Message, req *protocol.AppendRequest) error {
	if err := s.hearLeader(m); err != nil {
		return err
	}
	answer, ok := reply[*protocol.AppendResponse](s, m.From)
	switch {
	case !ok:
		return s.DropMessage(m)
	case answer.Rejected:
		return s.RejectAppendEntriesRequest(s.i, m, req.Prev)
	}
	return s.accept(m, req, answer.Match)
}

// accept takes the entries one by one. A request with none is a heartbeat.
func (s *step) accept(m protocol.Message, req *protocol.AppendRequest, match index) error {
	prev := req.Prev
	for n := range req.Entries {
		if err := s.acceptOne(m, prev, req.Entries[n], req.Commit); err != nil {
			return err
		}
		prev = req.Entries[n].ID()
	}
	if len(req.Entries) == 0 {
		if err := s.AppendEntriesAlreadyDone(s.i, m, prev, nil, req.Commit); err != nil {
			return err
		}
	}
	if match > prev.Index {
		return fmt.Errorf("the answer has match %d, AppendEntriesAlreadyDone gives mmatchIndex %d", match, prev.Index)
	}
	return nil
}

func (s *step) acceptOne(m protocol.Message, prev protocol.EntryID, e entry, commit index) error {
	at := prev.Index + 1
	for s.v.log.len() >= at && s.v.log.term(at) != e.Term {
		if err := s.ConflictAppendEntriesRequest(s.i, m, prev, e); err != nil {
			return err
		}
		s.change(at)
	}
	if s.v.log.len() == prev.Index {
		if err := s.NoConflictAppendEntriesRequest(s.i, m, prev, e); err != nil {
			return err
		}
		s.change(at)
	}
	return s.AppendEntriesAlreadyDone(s.i, m, prev, &e, commit)
}

// appendResponse finds out which of three things a leader does with an answer: believe it,
// take it for one of a new life of the follower, or ignore it as late.
func (s *step) appendResponse(m protocol.Message, a *protocol.AppendResponse) error {
	if m.Term < s.v.currentTerm {
		return s.DropStaleResponse(s.i, m)
	}
	if s.v.state != leader {
		return s.DropMessage(m)
	}
	before := s.v.matchIndex[m.From]
	switch after, known := s.matchOf(m.From); {
	case !known:
		return s.DropMessage(m)
	case after < before:
		return s.ForgetFollower(s.i, m.From)
	case after == before && !a.Rejected && a.Match > before:
		return s.DropMessage(m)
	}
	return s.HandleAppendEntriesResponse(s.i, m.From, m, !a.Rejected, a.Match)
}

func (s *step) matchOf(id server) (index, bool) {
	for _, f := range s.after.Followers {
		if f.ID == id {
			return f.Match, true
		}
	}
	return 0, false
}

// snapshotReceived finds out whether a snapshot that has arrived is of use.
func (s *step) snapshotReceived(in replica.SnapshotReceived) error {
	offered := s.offers[offer{from: in.From, to: s.i, in: in.Term}]
	m := protocol.Message{From: in.From, To: s.i, Term: in.Term}
	switch last := in.Meta.Last; {
	case s.fx.Install != nil && (!offered || in.Term != s.v.currentTerm):
		return disabled("InstallSnapshot", "offered is %v, mterm %d, currentTerm[%d] is %d", offered, in.Term, s.i, s.v.currentTerm)
	case s.fx.Install != nil:
		if err := s.hearLeader(m); err != nil {
			return err
		}
		s.change(s.meet(s.v.log, last.Index) + 1)
		return s.InstallSnapshot(s.i, last)
	case s.after.Commit > s.v.commitIndex:
		if err := s.hearLeader(m); err != nil {
			return err
		}
		if !offered || !s.committed.has(last) {
			return disabled("InstallSnapshot", "offered is %v; %v is not committed, that is up to %v", offered, last, s.committed.last())
		}
		return s.AppendEntriesAlreadyDone(s.i, m, last, nil, last.Index)
	}
	return s.hearLeader(m)
}
