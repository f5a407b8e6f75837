package spec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// sends finds the actions that send the messages. Answers were explained with the requests
// that they answer; only their terms are left.
func (s *step) sends() error {
	for _, list := range [][]protocol.Message{s.fx.Send, s.fx.SendAfterPersist} {
		for _, m := range list {
			if err := s.send(m); err != nil {
				return err
			}
			s.messages[m] = &sent{}
		}
	}
	for _, to := range s.fx.SendSnapshot {
		if err := s.OfferSnapshot(s.i, to); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) send(m protocol.Message) error {
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest:
		return nil // of a term that nobody is in
	case *protocol.PreVoteResponse:
		if b.Granted {
			return nil // echoes it
		}
	case *protocol.VoteRequest:
		return s.RequestVote(s.i, m.To, m, b)
	case *protocol.AppendRequest:
		return s.AppendEntries(s.i, m.To, m, b)
	case *protocol.VoteResponse:
		if r, ok := s.in.(replica.Receive); !ok || r.Message.From != m.To || r.Message.Body.Kind() != protocol.KindVoteRequest {
			return fmt.Errorf("a vote is sent to %d, which did not ask", m.To)
		}
	case *protocol.AppendResponse:
		if !s.answers(m.To) {
			return fmt.Errorf("an answer to AppendEntries is sent to %d, which did not ask", m.To)
		}
	}
	if m.Term != s.v.currentTerm {
		return fmt.Errorf("%v is sent with term %d, the actions end with currentTerm %d", m.Body.Kind(), m.Term, s.v.currentTerm)
	}
	return nil
}

// answers reports whether the input is one that an AppendResponse answers.
func (s *step) answers(to server) bool {
	switch in := s.in.(type) {
	case replica.Receive:
		return in.Message.From == to && in.Message.Body.Kind() == protocol.KindAppendRequest
	case replica.SnapshotReceived:
		return in.From == to
	}
	return false
}

// writes wants what is written to be what the actions have changed.
func (s *step) writes() error {
	if in := s.fx.Install; in != nil {
		at := s.changed
		s.v.writes = append(s.v.writes, write{seq: in.Seq, at: at, entries: append([]entry{}, s.v.log[at-1:]...)})
		return nil
	}
	p := s.fx.Persist
	if p == nil {
		if s.changed != 0 {
			return fmt.Errorf("the actions change the log at %d, but nothing is written", s.changed)
		}
		return nil
	}
	if p.Hard != nil && (p.Hard.Term != s.v.currentTerm || p.Hard.Vote != s.v.votedFor) {
		return fmt.Errorf("term %d and a vote for %d are written, the actions end with currentTerm %d, votedFor %d", p.Hard.Term, p.Hard.Vote, s.v.currentTerm, s.v.votedFor)
	}
	w := write{seq: p.Seq, hard: p.Hard}
	if len(p.Entries) > 0 {
		w.at, w.entries = p.Entries[0].Index, append([]entry{}, p.Entries...)
	}
	s.v.writes = append(s.v.writes, w)
	return s.sameEntries(w)
}

func (s *step) sameEntries(w write) error {
	if w.at != s.changed {
		return fmt.Errorf("the log is written from %d on, the actions change it at %d", w.at, s.changed)
	}
	if w.at == 0 {
		return nil
	}
	want := s.v.log[w.at-1:]
	if len(want) != len(w.entries) {
		return fmt.Errorf("%d entries are written from %d on, the actions end with %d", len(w.entries), w.at, len(want))
	}
	for n, e := range w.entries {
		if !same(e, want[n]) {
			return fmt.Errorf("%v is written, the actions end with %v", e.ID(), want[n].ID())
		}
	}
	return nil
}

// applies wants what is applied to be committed and durable.
func (s *step) applies() error {
	for _, e := range s.fx.Apply {
		if e.Index > s.v.commitIndex || !same(e, s.v.log[e.Index-1]) || e.Index > s.committed.len() || !same(e, s.committed[e.Index-1]) {
			return fmt.Errorf("%v is applied, commitIndex is %d", e.ID(), s.v.commitIndex)
		}
		if !s.v.durable.log.has(e.ID()) {
			return fmt.Errorf("%v is applied, the disk has term %d there", e.ID(), s.v.durable.log.term(e.Index))
		}
	}
	return nil
}
