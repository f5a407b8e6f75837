// Package kv is the default state machine: a multi-version key-value store with the
// semantics of etcd v3, kept in an LSM tree (cockroachdb/pebble).
//
// # In this room
//
// [Store], which implements machine.Durable; the commands it understands; reads at
// any revision that is not compacted; [WatchStream], which delivers changes.
//
// Three keyspaces, told apart by the first byte (see keys.go):
//
//	k <key>              the head of the key: its newest revision and what a put
//	                     needs to know of it, but not the value
//	m                    what is true of the whole store: applied entry, revisions
//	r <main><sub>        what happened at a revision: key, value, and where the key
//	                     was changed before
//
// Values are written in the order of revisions, and once: the LSM keeps them in blob
// files and merges only heads and references. The records of a key form a
// chain from the newest to the oldest, so a read at an old revision walks back from
// the head, compaction is one pass over the records, and a watch gets the previous
// value with one lookup.
//
// # Never here
//
// gRPC, Raft, clients' sessions. Errors leave as the typed values of errors.go.
//
// # Invariants
//
//  1. The Raft log is the store's write-ahead log. The applied entry is written in
//     the same batch as its effect, so after a crash the state is that of some
//     applied prefix.
//  2. A record above the compacted revision is never dropped, nor is the newest
//     record of a key at or below it unless that is a tombstone.
//  3. A revision is published only after everything up to it can be read.
//  4. Apply never waits for a watcher, a reader or compaction.
//  5. What a client sees never depends on how far the background compaction of
//     this member is.
//
// # How to add
//
// A command: an opcode in command.go (never reuse a number), its case in apply.go,
// the same in the twin of the model test. A field of a record or a head: a flag
// bit in keys.go, so that what older versions wrote stays readable, and a new
// snapshot version when it must not be lost.
package kv
