package pauser

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Any is the member ID, or the message kind, that fits all.
const Any = 0

// Every and Most stand for members in conditions on what members have reached.
const (
	// Every is each member that is up.
	Every = ^protocol.MemberID(0)
	// Most is a majority of the members that are no learners, whether they are up or not.
	Most = Every - 1
)

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

// Takes is met when the member of a real host is about to step an input of the type,
// as in Takes[replica.Tick](2). Messages are not among them: see Arrives.
func Takes[I replica.Input](member protocol.MemberID) Condition {
	return func(e Event) bool {
		_, fits := e.Input.(I)
		return e.Kind == Taken && fits && (member == Any || e.Member == member)
	}
}

// Becomes is met when the member has the role.
func Becomes(member protocol.MemberID, role replica.Role) Condition {
	return reached(member, func(s Status) bool { return s.Role == role })
}

// TermReaches is met when the member is in the term or in a later one.
func TermReaches(member protocol.MemberID, term protocol.Term) Condition {
	return reached(member, func(s Status) bool { return s.Term >= term })
}

// LogReaches is met when the member's log has the index.
func LogReaches(member protocol.MemberID, index protocol.Index) Condition {
	return reached(member, func(s Status) bool { return s.Last >= index })
}

// CommitReaches is met when the member knows the index to be committed.
func CommitReaches(member protocol.MemberID, index protocol.Index) Condition {
	return reached(member, func(s Status) bool { return s.Commit >= index })
}

// AppliedReaches is met when the member has applied the index.
func AppliedReaches(member protocol.MemberID, index protocol.Index) Condition {
	return reached(member, func(s Status) bool { return s.Applied >= index })
}

// HasLeader is met when somebody leads whom, in the same term, the member knows to be its
// leader: so HasLeader(Most) tells that a majority follows one leader.
func HasLeader(member protocol.MemberID) Condition {
	return func(e Event) bool { return led(e, member, 0) }
}

// ElectionDone is met when most members follow a leader who was not yet one at the first
// event.
func ElectionDone() Condition {
	var before protocol.Term
	begun := false
	return func(e Event) bool {
		for _, s := range e.Group {
			if !begun && s.Up && s.Role == replica.Leader {
				before = max(before, s.Term)
			}
		}
		begun = true
		return led(e, Most, before)
	}
}

// led reports whether the member follows a leader of a term after the given one.
func led(e Event, member protocol.MemberID, after protocol.Term) bool {
	for _, l := range e.Group {
		follows := func(s Status) bool { return s.Term == l.Term && s.Leader == l.Member }
		if l.Up && l.Role == replica.Leader && l.Term > after && reached(member, follows)(e) {
			return true
		}
	}
	return false
}

// reached looks at what is known of the members after the event. When it holds already,
// the next event meets it, whatever that is.
func reached(member protocol.MemberID, met func(Status) bool) Condition {
	return func(e Event) bool {
		voters, up, fit, fitVoters := 0, 0, 0, 0
		for _, s := range e.Group {
			fits := s.Up && met(s)
			if s.Member == member && fits {
				return true
			}
			up += count(s.Up)
			fit += count(fits)
			voters += count(s.Role != replica.Learner)
			fitVoters += count(fits && s.Role != replica.Learner)
		}
		switch member {
		case Any:
			return fit > 0
		case Every:
			return up > 0 && fit == up
		case Most:
			return fitVoters > voters/2
		}
		return false
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// After is met by the n-th event from now.
func After(n int) Condition {
	return func(Event) bool {
		n--
		return n <= 0
	}
}

// Times is met when c was met n times: by the n-th message, say.
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

// All is met by an event that meets all of the conditions: a message that leaves while
// a member leads, say.
func All(conditions ...Condition) Condition {
	return func(e Event) bool {
		met := true
		for _, c := range conditions {
			met = c(e) && met
		}
		return met
	}
}

// Not is met by an event that does not meet the condition.
func Not(c Condition) Condition {
	return func(e Event) bool { return !c(e) }
}

// Then is met when the conditions were met one after the other, each by a later event:
// none is asked before those to its left were met.
func Then(conditions ...Condition) Condition {
	return func(e Event) bool {
		if len(conditions) > 0 && conditions[0](e) {
			conditions = conditions[1:]
		}
		return len(conditions) == 0
	}
}
