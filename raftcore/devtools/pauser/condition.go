package pauser

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Any is the member ID, or the message kind, that fits all.
const Any = 0

// Condition reports whether an event is the one to stop at. It is asked once for
// each event, in order, and may count. It must not block.
type Condition func(Event) bool

// Sends is met when a message of the kind leaves from for to.
func Sends(kind protocol.MessageKind, from, to protocol.MemberID) Condition {
	return passing(Sent, kind, from, to)
}

// Arrives is met when a message of the kind, sent by from, is about to be taken by
// to.
func Arrives(kind protocol.MessageKind, from, to protocol.MemberID) Condition {
	return passing(Arrived, kind, from, to)
}

func passing(where Kind, kind protocol.MessageKind, from, to protocol.MemberID) Condition {
	return func(e Event) bool {
		return e.Kind == where &&
			(kind == Any || e.Message.Body.Kind() == kind) &&
			(from == Any || e.Message.From == from) &&
			(to == Any || e.Message.To == to)
	}
}

// Becomes is met when the member has the role.
func Becomes(member protocol.MemberID, role replica.Role) Condition {
	return status(member, func(s Status) bool { return s.Role == role })
}

// LogReaches is met when the member's log has the index.
func LogReaches(member protocol.MemberID, index protocol.Index) Condition {
	return status(member, func(s Status) bool { return s.Last >= index })
}

// CommitReaches is met when the member knows the index to be committed.
func CommitReaches(member protocol.MemberID, index protocol.Index) Condition {
	return status(member, func(s Status) bool { return s.Commit >= index })
}

// AppliedReaches is met when the member has applied the index.
func AppliedReaches(member protocol.MemberID, index protocol.Index) Condition {
	return status(member, func(s Status) bool { return s.Applied >= index })
}

func status(member protocol.MemberID, met func(Status) bool) Condition {
	return func(e Event) bool {
		return e.Kind == Changed && e.Status.Up && (member == Any || e.Member == member) && met(e.Status)
	}
}

// After is met by the n-th event from now.
func After(n int) Condition {
	return func(Event) bool {
		n--
		return n <= 0
	}
}

// Times is met when c was met n times.
func Times(n int, c Condition) Condition {
	return func(e Event) bool {
		if c(e) {
			n--
		}
		return n <= 0
	}
}

// Either is met when one of the conditions is.
func Either(conditions ...Condition) Condition {
	return func(e Event) bool {
		met := false
		for _, c := range conditions {
			met = c(e) || met
		}
		return met
	}
}
