package replica_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// tableTerm is the term of the member in the table.
const tableTerm = 5

// table prints what member 1 in a role does about every kind of message from member
// 2 of a lower, the equal and a higher term.
func (s *story) table(t *testing.T, d *datadriven.TestData) error {
	var role string
	d.ScanArgs(t, "role", &role)
	for _, k := range protocol.MessageKinds() {
		for i, relation := range []string{"lower", "equal", "higher"} {
			did, err := s.reaction(role, k, tableTerm-1+protocol.Term(i))
			if err != nil {
				return err
			}
			s.tell("%-16v %-6s  %s", k, relation, did)
		}
	}
	return nil
}

func (s *story) reaction(role string, k protocol.MessageKind, term protocol.Term) (string, error) {
	m, err := s.inRole(role)
	if err != nil {
		return "", err
	}
	var did []string
	s.trace = func(format string, args ...any) {
		did = append(did, strings.TrimPrefix(fmt.Sprintf(format, args...), "1 "))
	}
	// A violation is part of the reaction.
	_ = s.step(m, replica.Receive{Message: protocol.Message{From: 2, To: 1, Term: term, Body: plainBody(k)}})
	if len(did) == 0 {
		return "-", nil
	}
	return strings.Join(did, "; "), nil
}

// inRole makes a new cluster whose member 1 is in the role in tableTerm, with one entry.
func (s *story) inRole(role string) (*member, error) {
	s.world = newWorld(3, 1)
	s.mutation = s.bugs
	m := s.member(1)
	if role == "Learner" {
		s.initial.Members[0].Suffrage = protocol.Learner
	}
	m.disk.hard.Term = tableTerm
	if role == "Candidate" || role == "Leader" {
		m.disk.hard.Term--
	}
	m.disk.entries = []protocol.Entry{{Index: 1, Term: 1, Kind: protocol.EntryNoOp}}
	if err := s.start(m); err != nil {
		return nil, err
	}
	if err := s.feed(m, pathTo(role)); err != nil {
		return nil, err
	}
	if got := m.r.Status(); got.Role.String() != role || got.Term != tableTerm {
		return nil, fmt.Errorf("member 1 is %v in term %d", got.Role, got.Term)
	}
	return m, nil
}

// pathTo gives the inputs that bring member 1 into a role.
func pathTo(role string) []replica.Input {
	from := func(id protocol.MemberID, b protocol.Body) replica.Input {
		return replica.Receive{Message: protocol.Message{From: id, To: 1, Term: tableTerm, Body: b}}
	}
	impatient := make([]replica.Input, 20)
	for i := range impatient {
		impatient[i] = replica.Tick{}
	}
	grant := from(3, &protocol.PreVoteResponse{Granted: true})
	switch role {
	case "Follower", "Learner":
		return []replica.Input{from(2, &protocol.AppendRequest{})}
	case "PreCandidate":
		return impatient
	case "Candidate":
		return append(impatient, grant, replica.Persisted{Seq: 1})
	}
	return append(impatient, grant, replica.Persisted{Seq: 1}, from(3, &protocol.VoteResponse{Granted: true}), replica.Persisted{Seq: 2})
}

func (s *story) feed(m *member, inputs []replica.Input) error {
	for _, in := range inputs {
		if err := s.step(m, in); err != nil {
			return err
		}
	}
	return nil
}

// plainBody gives a message of the kind that asks for something or grants it.
func plainBody(k protocol.MessageKind) protocol.Body {
	last := protocol.EntryID{Term: 1, Index: 1}
	return map[protocol.MessageKind]protocol.Body{
		protocol.KindPreVoteRequest:   &protocol.PreVoteRequest{Last: last},
		protocol.KindPreVoteResponse:  &protocol.PreVoteResponse{Granted: true},
		protocol.KindVoteRequest:      &protocol.VoteRequest{Last: last},
		protocol.KindVoteResponse:     &protocol.VoteResponse{Granted: true},
		protocol.KindAppendRequest:    &protocol.AppendRequest{Prev: last},
		protocol.KindAppendResponse:   &protocol.AppendResponse{Match: 1, Incarnation: 2, Boot: 2},
		protocol.KindSnapshotRequest:  &protocol.SnapshotRequest{},
		protocol.KindSnapshotResponse: &protocol.SnapshotResponse{},
		protocol.KindTimeoutNow:       &protocol.TimeoutNow{},
		protocol.KindReadRequest:      &protocol.ReadRequest{ID: 7},
		protocol.KindReadResponse:     &protocol.ReadResponse{ID: 7, Index: 1},
		protocol.KindForward:          &protocol.Forward{ID: 9, Payloads: [][]byte{[]byte("a")}},
		protocol.KindForwardRefused:   &protocol.ForwardRefused{ID: 9},
		protocol.KindResigned:         &protocol.Resigned{},
	}[k]
}
