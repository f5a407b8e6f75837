package replica_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// matching takes the messages that are under way now and fit from=, to= and kind= out of
// the network, at most n.
func (s *story) matching(t *testing.T, d *datadriven.TestData) []protocol.Message {
	var from, to uint64
	n, kind := 1000, ""
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "to", &to)
	d.MaybeScanArgs(t, "kind", &kind)
	d.MaybeScanArgs(t, "n", &n)
	var hit, miss []protocol.Message
	for _, m := range s.flying {
		if len(hit) < n && (from == 0 || m.From == protocol.MemberID(from)) && (to == 0 || m.To == protocol.MemberID(to)) &&
			(kind == "" || m.Body.Kind().String() == kind) {
			hit = append(hit, m)
		} else {
			miss = append(miss, m)
		}
	}
	s.flying = miss
	return hit
}

func (s *story) deliverSome(t *testing.T, d *datadriven.TestData) error {
	for _, m := range s.matching(t, d) {
		if err := s.give(m); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) drop(t *testing.T, d *datadriven.TestData) error {
	for _, m := range s.matching(t, d) {
		s.tell("lost: %d %s", m.From, message(m))
	}
	return nil
}

func (s *story) showFlying(*testing.T, *datadriven.TestData) error {
	for _, m := range s.flying {
		s.tell("%d %s", m.From, message(m))
	}
	return nil
}

// receive hands a member a message made of the arguments.
func (s *story) receive(t *testing.T, d *datadriven.TestData) error {
	var from, term uint64
	d.ScanArgs(t, "from", &from)
	d.ScanArgs(t, "term", &term)
	m := s.who(t, d, "to")
	return s.step(m, replica.Receive{Message: protocol.Message{
		From: protocol.MemberID(from), To: m.id, Term: protocol.Term(term), Body: scanBody(t, d),
	}})
}

func scanBody(t *testing.T, d *datadriven.TestData) protocol.Body {
	var kind string
	d.ScanArgs(t, "kind", &kind)
	number := func(name string) (n uint64) { d.MaybeScanArgs(t, name, &n); return n }
	switch kind {
	case "PreVoteRequest":
		return &protocol.PreVoteRequest{Last: scanEntryID(t, d, "last")}
	case "PreVoteResponse":
		return &protocol.PreVoteResponse{Granted: d.HasArg("granted")}
	case "VoteRequest":
		return &protocol.VoteRequest{Last: scanEntryID(t, d, "last"), Transfer: d.HasArg("transfer")}
	case "VoteResponse":
		return &protocol.VoteResponse{Granted: d.HasArg("granted")}
	case "AppendRequest":
		return &protocol.AppendRequest{
			Prev: scanEntryID(t, d, "prev"), Commit: protocol.Index(number("commit")), Round: number("round"), Entries: scanEntries(t, d),
		}
	case "AppendResponse":
		return &protocol.AppendResponse{
			Rejected: d.HasArg("rejected"), Match: protocol.Index(number("match")), Hint: scanEntryID(t, d, "hint"), Round: number("round"),
			Incarnation: protocol.Incarnation(number("incarnation")), Boot: protocol.Boot(number("boot")),
		}
	case "SnapshotRequest":
		return &protocol.SnapshotRequest{}
	case "SnapshotResponse":
		return &protocol.SnapshotResponse{}
	case "TimeoutNow":
		return &protocol.TimeoutNow{}
	case "ReadRequest":
		return &protocol.ReadRequest{ID: number("read")}
	case "ReadResponse":
		return &protocol.ReadResponse{ID: number("read"), Index: protocol.Index(number("index")), Rejected: d.HasArg("rejected")}
	case "Forward":
		return &protocol.Forward{ID: number("number"), Payloads: [][]byte{[]byte("forwarded")}}
	case "ForwardRefused":
		return &protocol.ForwardRefused{ID: number("number"), Taken: int(number("taken")), Reason: protocol.Overloaded}
	case "Resigned":
		return &protocol.Resigned{}
	}
	t.Fatalf("%s: unknown kind %q", d.Pos, kind)
	return nil
}

// scanEntryID reads term/index.
func scanEntryID(t *testing.T, d *datadriven.TestData, name string) (id protocol.EntryID) {
	var text string
	d.MaybeScanArgs(t, name, &text)
	if text != "" {
		if _, err := fmt.Sscanf(text, "%d/%d", &id.Term, &id.Index); err != nil {
			t.Fatalf("%s: %s=%s is not term/index", d.Pos, name, text)
		}
	}
	return id
}

// scanEntries reads entries=(term/index, ...).
func scanEntries(t *testing.T, d *datadriven.TestData) []protocol.Entry {
	var es []protocol.Entry
	for _, a := range d.CmdArgs {
		if a.Key != "entries" {
			continue
		}
		for _, v := range a.Vals {
			e := protocol.Entry{Kind: protocol.EntryCommand}
			if _, err := fmt.Sscanf(v, "%d/%d", &e.Term, &e.Index); err != nil {
				t.Fatalf("%s: entry %q is not term/index", d.Pos, v)
			}
			e.Payload = fmt.Appendf(nil, "y%d", e.Index)
			es = append(es, e)
		}
	}
	return es
}

func (s *story) showStatus(*testing.T, *datadriven.TestData) error {
	for _, m := range s.members {
		if m.r == nil {
			s.tell("%d is down", m.id)
			continue
		}
		st := m.r.Status()
		s.tell("%d %v term=%d vote=%d leader=%d base=%d last=%s stable=%d commit=%d applied=%d", m.id, st.Role, st.Term, st.Vote, st.Leader,
			st.Base.Index, entryID(st.Last), st.Stable, st.Commit, len(m.done))
		for _, f := range st.Followers {
			s.tell("    %d %v match=%d next=%d inflight=%d", f.ID, f.State, f.Match, f.Next, f.Inflight)
		}
	}
	return nil
}

// showLogs prints the terms of every log, in the way of the paper's figure 7, and what is
// durable of it up to the bar.
func (s *story) showLogs(*testing.T, *datadriven.TestData) error {
	for _, m := range s.members {
		if m.r == nil {
			s.tell("%d is down", m.id)
			continue
		}
		st := m.r.Status()
		var b strings.Builder
		for i := st.Base.Index + 1; i <= st.Last.Index; i++ {
			t, _ := m.r.TermAt(i)
			fmt.Fprintf(&b, " %d", t)
			if i == st.Stable && i < st.Last.Index {
				b.WriteString(" |")
			}
		}
		s.tell("%d:%s", m.id, b.String())
	}
	return nil
}
