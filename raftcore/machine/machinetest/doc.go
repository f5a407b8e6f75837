// Package machinetest is the conformance suite of package machine.
//
// # In this room
//
// [TestStateMachine], which any implementation of machine.StateMachine can be put
// through, and of machine.Durable, machine.ResultCodec and machine.Keeper when it is one.
//
// # Never here
//
// State machines, other than the small one that the suite's own test uses.
//
// # Invariants
//
// The suite knows a state machine only through the contract and the [Kit]: it
// compares states by the snapshots' behaviour and by Kit.State, never by bytes of
// files.
//
// # How to add
//
// A promise of the contract: a subtest here, and its mention in package machine.
package machinetest
