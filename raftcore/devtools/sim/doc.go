// Package sim is a deterministic simulator of whole Raft clusters.
//
// # In this room
//
// [Run] takes [Options], which begin with a seed, and simulates a cluster whose members
// drive package replica exactly as its package comment asks of a caller: with disks
// whose writes become durable late, networks that lose, repeat, delay and part, crashes,
// power losses, clocks that drift, snapshots and clients. [Cluster] is the same by hand,
// step by step, for tests that want to arrange a situation.
//
// After every step the history of the whole cluster is checked: the five properties of
// paper figure 3 and what else the [Property] constants name. After the faults, a
// majority without faults must make progress within a bounded time; then there may be
// faults again. [Shrink] finds a
// simpler run that fails, and a [Failure] prints how to see it again.
//
// How it is built, in reading order: clock.go (what happens when), disk.go and
// network.go (what a member lives on), member.go and effects.go (a member and its
// duties), machine.go and sessions.go (what is replicated, for whom), snapshot.go and
// transfer.go (snapshots, chunk by chunk), faults.go, points.go, partitions.go,
// diskfaults.go, rot.go, changes.go and clients.go (what happens to it), then tree.go,
// checker.go and promises.go (what must hold), run.go (a run from begin to end), profiles.go
// (what a seed is led to), coverage.go (what was reached). observe.go lets another package see
// each step with its effects, as package spec does.
//
// [Workload] puts a state machine of the user's own in the place of the simulator's.
// Package simtest runs many seeds in a test.
//
// # Never here
//
// Goroutines, clocks of the machine, global randomness, files: a run depends on its
// options and on nothing else. Rules of Raft: the checks look at what members write,
// send and apply, and trust nothing that a replica says about itself but its role,
// term and commit index.
//
// # Invariants
//
// Equal options give equal runs, to the byte of the trace. A check costs a constant
// time for each entry written, committed or applied, so that it can be made always.
// Every fault that is simulated is one that Raft promises to survive: what is lost for good
// is lost only where a quorum of others has all of it.
//
// # How to add
//
// A fault: a constant in options.go, its name, a row in strikes or a question in
// network.go, a call of struck; end it in faults.end. A point to crash at: a constant in
// points.go and a call of passes. A check: a [Property], a call of fail, and a
// deliberate bug in package mutation that shows that it bites. A caller's duty: in
// effects.go, as in package host.
package sim
