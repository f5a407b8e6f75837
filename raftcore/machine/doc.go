// Package machine is the contract between Raft and the state machine that it
// replicates.
//
// # In this room
//
// [StateMachine], which an engineer with a service of their own implements; [Durable],
// which it implements too when it keeps its state in files itself; and, for commands in
// client sessions, [ResultCodec] and (with files) [Keeper]. [SnapshotOf] and [ReadSnapshot]
// do what a snapshot of a small state needs. machinetest is the conformance suite for all
// of the interfaces.
//
// # Never here
//
// State machines (the default one is node/kv), encodings of commands, Raft.
//
// # Invariants
//
// Commands are applied in log order, each exactly once in the life of a state:
// after a restart the host goes on with the entry after the index that the state
// machine says it has. Apply must be deterministic: equal states and equal commands
// give equal states and equal results on every member.
//
// # How to add
//
// A method that every state machine needs goes into StateMachine; one that only
// some can offer becomes an interface of its own, which the host asks for by a
// type assertion. Extend machinetest in the same commit.
package machine
