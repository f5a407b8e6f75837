// Package pauser stops a whole group of members at a certain moment, for a look.
//
// # In this room
//
// [Event] and [Status], which the simulator and the comms in memory tell of; a
// [Condition] on them, with constructors for the usual ones; and [Pauser], which stops
// a group of real hosts when a condition is met and lets it go on or make a step.
//
// # Never here
//
// Ways to make trouble: they belong to what tells of the events.
//
// # Invariants
//
// While the group is paused no member's message leaves or arrives, and no member
// changes its state in a way that others could see. A condition sees every event once, in
// the order in which they happened.
//
// # How to add
//
// A condition: a constructor in condition.go. A kind of event: a constant, what emits
// it, and how package diagram draws it.
package pauser
