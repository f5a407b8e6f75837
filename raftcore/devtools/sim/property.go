package sim

import (
	"fmt"
	"strings"
)

// Property is what a correct cluster has at every moment.
type Property string

// The five properties of paper figure 3.
const (
	ElectionSafety     Property = "Election Safety"      // at most one leader is elected in a term
	LeaderAppendOnly   Property = "Leader Append-Only"   // a leader never overwrites or deletes entries of its log
	LogMatching        Property = "Log Matching"         // logs that share an entry share all entries before it
	LeaderCompleteness Property = "Leader Completeness"  // what was committed in a term is in the logs of the leaders of all higher terms
	StateMachineSafety Property = "State Machine Safety" // no two members apply different entries at an index
)

// What else is checked.
const (
	Promises    Property = "Promises"      // a vote or an acknowledgement that leaves is on disk and true
	QuorumDisks Property = "Quorum Disks"  // what is committed is durable on a quorum
	Order       Property = "Order"         // terms, commit and applied indexes never go back, applied has no gaps
	Invariants  Property = "Invariants"    // what the replica itself says must hold
	NoPanic     Property = "No Panic"      // the replica does not panic
	ClientsView Property = "Clients' View" // acknowledged writes stay, refused ones never come, reads are linearizable
	SameState   Property = "Same State"    // equal commands give equal results and states on every member, see Workload
	UserCheck   Property = "User's Check"  // what Workload.Check says
	Fitness     Property = "Fitness"       // a member whose disk hangs does not stand for election, nor lead for long
	Membership  Property = "Membership"    // configurations that follow each other share a voter in any two majorities, removed IDs stay so
	Liveness    Property = "Liveness"      // a whole majority without faults has a leader and makes progress
	Observed    Property = "Observed"      // what an observer demands, such as package spec
)

func (p Property) isOfFigure3() bool {
	switch p {
	case ElectionSafety, LeaderAppendOnly, LogMatching, LeaderCompleteness, StateMachineSafety:
		return true
	}
	return false
}

// Failure is a property that was broken, and how to see it again.
type Failure struct {
	Options  Options
	Property Property
	Step     int
	At       Time
	Detail   string
	Trace    []string // the last things that happened
}

// Error gives the whole story.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s is broken at step %d, %v: %s\noptions: %q\nlast events:\n  %s",
		f.Property, f.Step, f.At, f.Detail, f.Options.String(), strings.Join(f.Trace, "\n  "))
}
