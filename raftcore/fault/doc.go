// Package fault names what can break in a member, and what helps.
//
// # In this room
//
// [Kind] with its [Remedy], the [Fault] value, and the [Sink]: a bounded ring in
// memory, then a small file on the volume, that every report goes through.
//
// # Never here
//
// Detection (each room reports its own faults) and reaction (package host fences,
// the operator heals).
//
// # Invariants
//
// Reporting never fails, blocks or panics: when the file cannot be written, that is
// counted and the fault stays in memory. Every Kind has exactly one Remedy.
//
// # How to add
//
// A kind: a constant and a row in the table in kind.go, a test that provokes it for
// real, a row in docs/faults.md. The operator's table follows from nodeapi.
package fault
