// Package host runs one member: it owns a Replica and does what its Effects say.
//
// # In this room
//
// [Host]: persist, then send, then apply; proposals and reads of clients on this member;
// their sessions ([Session]); changes of the membership; snapshots, their transfers, and
// compaction; repair of a damaged log from the other members; faults, fencing and
// OnUnrecoverable. An [Observer] sees every step.
//
// # Never here
//
// Raft's rules (package replica), file formats, sockets, Kubernetes.
//
// # What is bounded
//
// Everything that waits in a member has a bound, so that overload, a slow disk, a stuck state
// machine or a follower that takes nothing costs memory up to a known sum. B is an option's
// default; what comes beyond the bound is refused, held back or dropped as told.
//
//	what waits                                    | bound                                  | B       | beyond it
//	commands that clients wait for here           | MaxQueuedBytes                         | 64 MiB  | ErrOverloaded
//	the group's entries that are not committed,   | MaxQueuedBytes of the leader           | 64 MiB  | ErrOverloaded
//	  durable and applied at the leader           |                                        |         |
//	entries in memory that are committed and      | MaxTailBytes                           | 16 MiB  | read from the log again
//	  durable                                     |                                        |         |
//	entries handed to the state machine           | MaxApplyBytes                          | 32 MiB  | handed out later
//	messages of the peers for the loop            | 32 MiB and one message for each peer   | 32 MiB  | the sender is held back
//	messages that wait for this member's disk     | 8 MiB                                  | 8 MiB   | dropped
//	entries that a follower has not answered      | MaxInflight requests, MaxInflightBytes | 4 MiB   | sent later
//	entries read from the log for a follower, or  | one MaxMessageBytes for each           | 1 MiB   | read later
//	  to be applied                               |                                        |         |
//	chunks of snapshots (SnapshotChunkBytes)      | 1 for each follower, 3 that arrive     | 512 KiB | the chunk is sent again
//	forwarded commands that may come back         | 1024 Forwards, MaxQueuedBytes          | shared  | the client waits
//	messages for one peer in its transport        | tcp.Options.MaxQueuedBytes             | 64 MiB  | dropped
//
// What is in flight to followers, and in a transport's queue while it is in memory for another
// reason as well, is not copied. So with p peers a member has at most 2 MaxQueuedBytes +
// MaxTailBytes + MaxApplyBytes + 40 MiB + p (MaxQueuedBytes of the transport + MaxMessageBytes
// + 1 MiB) beside the state machine; each bound may be crossed by one command or message.
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
// A duty toward the Replica: a field of replica.Effects, its fulfilment in loop.go, and the
// same duty in effects.go of package sim. An option: a field of [Options] with default and
// bound, and a row in docs/library.md.
package host
