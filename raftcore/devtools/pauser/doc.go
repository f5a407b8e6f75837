// Package pauser stops a whole group of members at a certain moment, for a look.
//
// # In this room
//
// [Event] and [Status], which the simulator and the comms in memory tell of; a
// [Condition] on them; and [Pauser], which stops a group of real hosts when a condition is
// met, and lets it go on or make a step. Simulated groups need no Pauser: sim.Cluster
// takes the same conditions in Run, makes one step in Next, and gives a look in Status.
//
//	condition                     is met when
//	Sends(kind, from, to)         a message leaves
//	Arrives(kind, from, to)       a message is about to be taken
//	Times(n, c)                   c was met n times: the n-th message
//	Takes[replica.Tick](member)   an input is about to be stepped (real hosts)
//	Becomes(member, role)         a role is reached
//	TermReaches(member, term)     a term is reached
//	HasLeader(member)             the member follows somebody who leads
//	ElectionDone()                most follow a leader who was elected meanwhile
//	LogReaches(member, index)     the log has the index
//	CommitReaches(member, index)  the member knows the index to be committed
//	AppliedReaches(member, index) the state machine has applied the index
//	After(n)                      n events have passed
//	Either, All, Not, Then        some, all, none of them are met; one after the other
//	func(Event) bool              whatever you like
//
// A member is an ID, [Any], [Most] or [Every]; a kind is one of package protocol, or Any.
//
// In a bubble of package testing/synctest, with Settle set to synctest.Wait, groups of real
// hosts do the same in every run: see [Pauser]. What shall happen to single messages is
// said with memcomms.Interceptors; what a step led to is seen by a host.Observer.
//
// # Never here
//
// Ways to make trouble: they belong to what tells of the events.
//
// # Invariants
//
// While the group is paused no member's message leaves or arrives, and no member
// takes an input or changes its state in a way that others could see. A condition sees
// every event once, in the order in which they happened. Nothing that a host calls under a
// lock of its own ever waits here: time in a bubble goes on.
//
// # How to add
//
// A condition: a constructor in condition.go, a line in the table above and in
// TestConditions. A kind of event: a constant, what emits it, and how package diagram
// draws it.
package pauser
