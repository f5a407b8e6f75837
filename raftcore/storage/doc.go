// Package storage is the contract for what a member keeps on disk: the log, the
// vote, the identity and the snapshots.
//
// # In this room
//
// [Log], [Votes] and [Snapshots], the errors they give, and storagetest, the
// conformance suite that every implementation passes. filelog implements them on files,
// package memlog in memory.
//
// # Never here
//
// Raft's rules: storage keeps what it is told to keep.
//
// # Invariants
//
// Writes of one Log are durable in the order in which they were queued. After a
// failed write or sync nothing is ever reported durable by that Log again. What was
// read was checked: a damaged record is an error that names it, never data. A damaged record
// whose entry is known is never cut: it stands in the log until it is repaired.
//
// # How to add
//
// Extend the contract and storagetest together, and run every implementation.
package storage
