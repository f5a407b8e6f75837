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
	d := drawing{last: map[protocol.MemberID]pauser.Status{}, size: map[protocol.EntryID]int64{}}
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
	size map[protocol.EntryID]int64 // of snapshots
}

func (d *drawing) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) event(e pauser.Event) {
	m := e.Message
	switch e.Kind {
	case pauser.Arrived:
		d.line("    M%d->>M%d: %s", m.From, m.To, d.label(m))
	case pauser.Dropped:
		d.line("    M%d-xM%d: %s", m.From, m.To, d.label(m))
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

// label puts a message into a few words. That a snapshot has arrived as a whole is seen
// from the requests before.
func (d *drawing) label(m protocol.Message) string {
	switch b := m.Body.(type) {
	case *protocol.SnapshotRequest:
		d.size[b.Meta.Last] = b.Meta.Size
	case *protocol.SnapshotResponse:
		if size, known := d.size[b.Last]; known && b.Offset == size && !b.Rejected {
			return fmt.Sprintf("%v term %d, has all", b.Kind(), m.Term)
		}
	}
	if m.Term == 0 { // a request for repair is of no term, and so is its answer
		return m.Body.Kind().String() + content(m.Body)
	}
	return fmt.Sprintf("%v term %d", m.Body.Kind(), m.Term) + content(m.Body)
}

func content(body protocol.Body) string {
	switch b := body.(type) {
	case *protocol.PreVoteRequest:
		return last(b.Last)
	case *protocol.VoteRequest:
		if b.Transfer {
			return last(b.Last) + ", by transfer"
		}
		return last(b.Last)
	case *protocol.PreVoteResponse:
		return granted(b.Granted)
	case *protocol.VoteResponse:
		return granted(b.Granted)
	case *protocol.AppendRequest:
		return fmt.Sprintf(", prev %d/%d, %s, commit %d", b.Prev.Index, b.Prev.Term, entries(b.Entries), b.Commit) + round(b.Round)
	case *protocol.AppendResponse:
		if b.Rejected {
			return fmt.Sprintf(", rejects prev %d, hint %d/%d", b.Match, b.Hint.Index, b.Hint.Term) + round(b.Round)
		}
		return fmt.Sprintf(", match %d", b.Match) + round(b.Round)
	case *protocol.ReadResponse:
		if b.Rejected {
			return ", refused"
		}
		return fmt.Sprintf(", index %d", b.Index)
	case *protocol.Forward:
		return ", " + count(len(b.Payloads), "command")
	case *protocol.ForwardRefused:
		return fmt.Sprintf(", %d taken, %v", b.Taken, b.Reason)
	case *protocol.SnapshotRequest, *protocol.SnapshotResponse:
		return chunk(b)
	case *protocol.RepairRequest:
		return ", " + ids(b.Entries)
	case *protocol.RepairResponse:
		return ", " + entries(b.Entries) + missing(b.Missing)
	}
	return ""
}

// chunk names a part of a snapshot. How many bytes it has is of no interest.
func chunk(body protocol.Body) string {
	switch b := body.(type) {
	case *protocol.SnapshotRequest:
		s := fmt.Sprintf(", up to %d/%d, from byte %d", b.Meta.Last.Index, b.Meta.Last.Term, b.Offset)
		if b.Done {
			s += " to the end"
		}
		return s
	case *protocol.SnapshotResponse:
		if b.Rejected {
			return fmt.Sprintf(", rejected, wants byte %d", b.Offset)
		}
		return fmt.Sprintf(", wants byte %d", b.Offset)
	}
	return ""
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// round names a read round; before the first one there is nothing to say.
func round(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", round %d", n)
}

func missing(list []protocol.EntryID) string {
	if len(list) == 0 {
		return ""
	}
	return ", without " + ids(list)
}

func ids(list []protocol.EntryID) string {
	var words []string
	for _, id := range list {
		words = append(words, fmt.Sprintf("%d/%d", id.Index, id.Term))
	}
	return strings.Join(words, " ")
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
		if es[0].Kind == protocol.EntryConfiguration {
			return fmt.Sprintf("configuration %d/%d", es[0].Index, es[0].Term)
		}
		return fmt.Sprintf("entry %d/%d", es[0].Index, es[0].Term)
	default:
		return fmt.Sprintf("entries %d/%d to %d/%d", es[0].Index, es[0].Term, es[n-1].Index, es[n-1].Term)
	}
}

// clean leaves out what ends a statement in Mermaid.
func clean(s string) string {
	return strings.NewReplacer(";", ",", "\n", " ", "#", "").Replace(s)
}
