package diagram

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Mermaid draws the events, in order, as a sequence diagram with a line of life for each
// member. A message is drawn where it arrives, or with a cross where it was lost; a
// change is drawn when the member's role, term or commit index is another one than
// before.
func Mermaid(events []pauser.Event) string {
	d := drawing{last: map[protocol.MemberID]pauser.Status{}}
	d.line("sequenceDiagram")
	for _, id := range members(events) {
		d.line("    participant M%d as member %d", id, id)
	}
	for _, e := range events {
		d.event(e)
	}
	return d.String()
}

type drawing struct {
	strings.Builder
	last map[protocol.MemberID]pauser.Status
}

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) event(e pauser.Event) {
	m := e.Message
	switch e.Kind {
	case pauser.Arrived:
		d.line("    M%d->>M%d: %s", m.From, m.To, label(m))
	case pauser.Dropped:
		d.line("    M%d-xM%d: %s", m.From, m.To, label(m))
	case pauser.Changed:
		d.change(e.Status)
	case pauser.Fault:
		if e.Member != 0 {
			d.line("    Note over M%d: %s", e.Member, clean(e.Note))
		}
	}
}

func (d *drawing) change(s pauser.Status) {
	old := d.last[s.Member]
	d.last[s.Member] = s
	switch {
	case !s.Up:
		d.line("    Note over M%d: down", s.Member)
	case s.Role != old.Role || s.Term != old.Term || !old.Up:
		d.line("    Note over M%d: %v of term %d", s.Member, s.Role, s.Term)
	}
	if s.Up && s.Commit > old.Commit && old.Up {
		d.line("    Note over M%d: commit %d", s.Member, s.Commit)
	}
}

// members gives everybody who takes part, ascending.
func members(events []pauser.Event) []protocol.MemberID {
	var ids []protocol.MemberID
	for _, e := range events {
		for _, id := range []protocol.MemberID{e.Member, e.Message.From, e.Message.To} {
			if id != 0 {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// label puts a message into a few words.
func label(m protocol.Message) string {
	s := fmt.Sprintf("%v term %d", m.Body.Kind(), m.Term)
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest:
		return s + last(b.Last)
	case *protocol.VoteRequest:
		return s + last(b.Last)
	case *protocol.PreVoteResponse:
		return s + granted(b.Granted)
	case *protocol.VoteResponse:
		return s + granted(b.Granted)
	case *protocol.AppendRequest:
		return s + fmt.Sprintf(", prev %d/%d, %s, commit %d", b.Prev.Index, b.Prev.Term, entries(b.Entries), b.Commit)
	case *protocol.AppendResponse:
		if b.Rejected {
			return s + fmt.Sprintf(", rejects prev %d, hint %d/%d", b.Match, b.Hint.Index, b.Hint.Term)
		}
		return s + fmt.Sprintf(", match %d", b.Match)
	case *protocol.ReadResponse:
		return s + fmt.Sprintf(", index %d", b.Index)
	case *protocol.Forward:
		return s + fmt.Sprintf(", %d commands", len(b.Payloads))
	}
	return s
}

func last(id protocol.EntryID) string { return fmt.Sprintf(", last %d/%d", id.Index, id.Term) }

func granted(yes bool) string {
	if yes {
		return ", granted"
	}
	return ", refused"
}

// entries names entries by index and term.
func entries(es []protocol.Entry) string {
	switch n := len(es); n {
	case 0:
		return "no entries"
	case 1:
		return fmt.Sprintf("entry %d/%d", es[0].Index, es[0].Term)
	default:
		return fmt.Sprintf("entries %d/%d to %d/%d", es[0].Index, es[0].Term, es[n-1].Index, es[n-1].Term)
	}
}

// clean leaves out what ends a statement in Mermaid.
func clean(s string) string {
	return strings.NewReplacer(";", ",", "\n", " ", "#", "").Replace(s)
}
