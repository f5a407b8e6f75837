// Package diagram draws what happened in a group as a Mermaid sequence diagram.
//
// # In this room
//
// [Mermaid], from events as package pauser knows them: the simulator tells of them, and
// so do the comms in memory.
//
// # Never here
//
// Choosing what is worth drawing: the caller leaves events out.
//
// # Invariants
//
// Equal events give equal text, so that a diagram in a document can be checked for being
// fresh.
//
// # How to add
//
// What a message carries: a case in label, and the golden files again
// (go test -update).
package diagram
