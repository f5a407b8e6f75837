// Package host runs one member: it owns a Replica and does what its Effects say.
//
// # In this room
//
// [Host]: persist, then send, then apply; proposals and reads of clients on this
// member; snapshots and compaction; repair of a damaged log from the other members; faults,
// fencing and OnUnrecoverable.
//
// # Never here
//
// Raft's rules (package replica), file formats, sockets, Kubernetes.
//
// # Invariants
//
// The loop goroutine alone touches the Replica. It never waits for a disk, the
// network, or the state machine. Nothing is acknowledged that is not durable. After an
// unrecoverable fault the member is fenced: it sends and acknowledges nothing. While records of
// its log are damaged it does not lead, and applies nothing at or behind them.
//
// # How to add
//
// A duty toward the Replica: a field of replica.Effects, a function in effects.go,
// and the same duty in the simulator of package devtools.
package host
