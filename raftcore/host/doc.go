// Package host runs one member: it owns a Replica and does what its Effects say.
//
// # In this room
//
// [Host]: persist, then send, then apply; proposals and reads of clients on this
// member; their sessions ([Session]); snapshots, their transfers, and compaction; repair of a damaged log from the other members; faults,
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
// What entries change is one state: the state machine's and the table of client sessions are
// snapshotted, restored and made durable together.
//
// A transfer of a snapshot, however large, takes bounded memory: at the leader one chunk
// (Options.SnapshotChunkBytes) for each follower that gets one, beside what the transport
// queues; at the follower one that is being written and two that wait. It ends: it goes on where it
// broke with the same snapshot, and the log keeps what follows that one, within
// Options.MaxRetainedEntries.
//
// # How to add
//
// A duty toward the Replica: a field of replica.Effects, a function in effects.go,
// and the same duty in the simulator of package devtools.
package host
