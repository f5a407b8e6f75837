// Package host runs one member: it owns a Replica and does what its Effects say.
//
// # In this room
//
// [Host]: persist, then send, then apply; proposals and reads of clients on this
// member; snapshots and compaction; faults, fencing and OnUnrecoverable.
//
// # Never here
//
// Raft's rules (package replica), file formats, sockets, Kubernetes.
//
// # Invariants
//
// The loop goroutine alone touches the Replica. It never waits for a disk, the
// network, or the state machine. Nothing is acknowledged that is not durable. After an
// unrecoverable fault the member is fenced: it sends and acknowledges nothing.
//
// # How to add
//
// A duty toward the Replica: a field of replica.Effects, a function in effects.go,
// and the same duty in the simulator of package devtools.
package host
