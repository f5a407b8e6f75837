package replica_test

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// traceEffects prints every effect on a line of its own.
func (w *world) traceEffects(id protocol.MemberID, fx replica.Effects) {
	if fx.Violation != nil {
		w.trace("%d VIOLATION %v", id, fx.Violation)
		return
	}
	if s := fx.State; s != nil {
		w.trace("%d is %v in term %d, leader %d", id, s.Role, s.Term, s.Leader)
	}
	for _, m := range fx.Send {
		w.trace("%d sends %s", id, message(m))
	}
	if p := fx.Persist; p != nil {
		hard := ""
		if p.Hard != nil {
			hard = fmt.Sprintf(" term=%d vote=%d", p.Hard.Term, p.Hard.Vote)
		}
		w.trace("%d writes #%d%s%s", id, p.Seq, hard, entries(p.Entries))
	}
	if x := fx.Install; x != nil {
		w.trace("%d installs #%d up to %s", id, x.Seq, entryID(x.Meta.Last))
	}
	for _, m := range fx.SendAfterPersist {
		w.trace("%d after that sends %s", id, message(m))
	}
	w.traceRequests(id, fx)
}

func (w *world) traceRequests(id protocol.MemberID, fx replica.Effects) {
	if len(fx.Apply) > 0 {
		w.trace("%d applies%s", id, entries(fx.Apply))
	}
	for _, f := range fx.Fetch {
		w.trace("%d fetches %d..%d for %d", id, f.From, f.To, f.For)
	}
	for _, to := range fx.SendSnapshot {
		w.trace("%d asks for a snapshot to %d", id, to)
	}
	for _, x := range fx.Reads {
		w.trace("%d may read %d at %d", id, x.ID, x.Index)
	}
	for _, x := range fx.ReadsRefused {
		w.trace("%d refuses read %d", id, x)
	}
	if m := fx.Membership; m != nil && m.ID.Index != 0 {
		w.trace("%d goes by %s of %s%s", id, members(m.Membership), entryID(m.ID), flags(m.Committed, ", committed", m.Removed, ", and is removed"))
	}
	for _, x := range fx.Changes {
		if x.Refused != nil {
			w.trace("%d refuses the change: %v", id, x.Refused)
		} else {
			w.trace("%d takes the change as %s", id, entryID(x.Entry))
		}
	}
	for _, x := range fx.Refused {
		what := "proposals"
		if x.Kind == protocol.EntrySession {
			what = "changes of sessions"
		}
		w.trace("%d refuses %d %s: %v", id, len(x.Payloads), what, x.Reason)
	}
}

func message(m protocol.Message) string {
	return fmt.Sprintf("to %d, term %d: %v%s", m.To, m.Term, m.Body.Kind(), body(m.Body))
}

func body(b protocol.Body) string {
	switch b := b.(type) {
	case *protocol.PreVoteRequest:
		return " last=" + entryID(b.Last)
	case *protocol.PreVoteResponse:
		return granted(b.Granted)
	case *protocol.VoteRequest:
		if b.Transfer {
			return " last=" + entryID(b.Last) + " transfer"
		}
		return " last=" + entryID(b.Last)
	case *protocol.VoteResponse:
		return granted(b.Granted)
	case *protocol.AppendRequest:
		return fmt.Sprintf(" prev=%s commit=%d%s%s", entryID(b.Prev), b.Commit, round(b.Round), entries(b.Entries))
	case *protocol.AppendResponse:
		if b.Rejected {
			return fmt.Sprintf(" rejected %d, hint=%s%s%s", b.Match, entryID(b.Hint), round(b.Round), unfit(b.Unfit))
		}
		return fmt.Sprintf(" match=%d%s%s", b.Match, round(b.Round), unfit(b.Unfit))
	case *protocol.ReadResponse:
		if b.Rejected {
			return " rejected"
		}
		return fmt.Sprintf(" at %d", b.Index)
	case *protocol.ForwardRefused:
		return fmt.Sprintf(" took %d, then %v", b.Taken, b.Reason)
	case *protocol.Forward:
		if b.As == protocol.EntrySession {
			return fmt.Sprintf(" %d changes of sessions", len(b.Payloads))
		}
		return fmt.Sprintf(" %d commands", len(b.Payloads))
	}
	return ""
}

func granted(yes bool) string {
	if yes {
		return " granted"
	}
	return " refused"
}

func unfit(yes bool) string {
	if yes {
		return " unfit"
	}
	return ""
}

func round(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" round=%d", n)
}

// entryID is written term/index.
func entryID(id protocol.EntryID) string { return fmt.Sprintf("%d/%d", id.Term, id.Index) }

// members writes the voters, those of the old half of a joint configuration, and the
// learners.
func members(m protocol.Membership) string {
	s := fmt.Sprintf("voters %v", m.Voters())
	if len(m.Outgoing) > 0 {
		s += fmt.Sprintf(" with %v", m.Outgoing)
	}
	if l := m.Learners(); len(l) > 0 {
		s += fmt.Sprintf(", learners %v", l)
	}
	return s
}

func flags(a bool, as string, b bool, bs string) (s string) {
	if a {
		s = as
	}
	if b {
		s += bs
	}
	return s
}

func entries(es []protocol.Entry) string {
	var b strings.Builder
	for _, e := range es {
		fmt.Fprintf(&b, " %s", entryID(e.ID()))
		switch e.Kind {
		case protocol.EntryNoOp:
			b.WriteString("(NoOp)")
		case protocol.EntrySession:
			fmt.Fprintf(&b, "(session %s)", e.Payload)
		case protocol.EntryConfiguration:
			m, err := memberships.DecodeMembership(e.Payload)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(&b, "(%s)", members(m))
		default:
			fmt.Fprintf(&b, "(%s)", e.Payload)
		}
	}
	return b.String()
}
