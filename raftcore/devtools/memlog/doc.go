// Package memlog keeps a member's log, vote and snapshots in memory.
//
// # In this room
//
// [Log], [Votes] and [Snapshots] implement the contracts of package storage, for
// tests with a real host: they can be told to hold writes back, to fail, and to lose
// what is not durable. [Sequence] is the log as a plain value.
//
// # Never here
//
// Files, Raft's rules, clocks.
//
// # Invariants
//
// What a done function was told to be durable is found by the log that Reopen gives.
//
// # How to add
//
// Another thing that a disk can do to a member: a method beside Hold and Fail, and a
// test that a host would notice it.
package memlog
