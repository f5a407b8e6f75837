package pauser

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Kind says what sort of event it is.
type Kind uint8

// The kinds of events.
const (
	Sent    Kind = 1 // Message leaves Member
	Arrived Kind = 2 // Message is about to be taken by Member
	Dropped Kind = 3 // Message was lost on its way from Member
	Changed Kind = 4 // Status of Member has changed
	Fault   Kind = 5 // Note tells what was done to Member, or to the group when it is 0
	Taken   Kind = 6 // Input, which is no message, is about to be stepped by Member; of real hosts
	Written Kind = 7 // a write to the log of Member is durable, which it is about to learn; of real hosts
)

// Event is one thing that happened in a group.
type Event struct {
	Kind    Kind
	Member  protocol.MemberID
	Message protocol.Message // of Sent, Arrived and Dropped
	Input   replica.Input    // of Taken
	Status  Status           // of Member, after the event, where it is known
	Note    string           // of Fault

	// Group is what is known of all members, by ID, after the event. It is shared: it
	// must not be changed.
	Group []Status
}

// Status is what can be seen of a member.
type Status struct {
	Member  protocol.MemberID
	Up      bool
	Role    replica.Role
	Term    protocol.Term
	Leader  protocol.MemberID // 0: unknown
	Last    protocol.Index    // of the log, durable or not
	Stable  protocol.Index    // the log is durable up to here, as of the last write; of real hosts
	Commit  protocol.Index
	Applied protocol.Index
}
