// Package replica is Raft itself: a deterministic state machine with one door.
//
// # In this room
//
// [Replica] with its one method Step, which takes an [Input] and gives [Effects].
// The same inputs in the same order give the same effects, always: a trace is a
// list of inputs, and replay, shrinking and fuzzing come free.
//
// # Never here
//
// I/O, clocks, goroutines, locks, randomness other than the seeded generator in the
// state. Payloads are opaque, but for those of Configuration entries, which the
// MembershipCodec of the [Config] reads and writes.
//
// # Invariants
//
// The caller's duties, which package host and the simulator fulfil:
//
//  1. Effects.Persist is written in the order in which it was given, and Persisted is
//     stepped in that order, each once durable, never before.
//  2. Effects.Send may leave at once. Effects.SendAfterPersist leaves only when
//     everything given by Persist so far, this Effects included, is durable.
//  3. Effects.Apply is applied in order; Applied is stepped afterwards.
//  4. After a crash the member starts from exactly what was durable.
//  5. A snapshot that Effects.SendSnapshot asks for goes out in the term of that Step,
//     also when it is made later, and SnapshotReceived tells that term.
//  6. Every Fetch is answered by Fetched. When the log could not give the entries the
//     replica asks again; to report a damaged record as a fault is the caller's duty.
//  7. Every Forward is delivered once at most: a second one would become a second command,
//     or be refused though the first was taken.
//  8. With Config.LeaseTicks or LeasePromise, Ticks keep pace with time. A caller that was held
//     up takes its work, then steps every Tick that is due, then the work: a read is never
//     answered by a clock that is behind it, and Ticks of the past never follow a message.
//
// SnapshotRequest and SnapshotResponse belong to the caller. It may step them as well:
// then they count as signs of life.
//
// The replica's own invariants, and the rule of what may leave before it is durable, are
// on [Replica]. Raft's are the five properties of paper figure 3; package devtools
// checks them after every step of its simulations.
//
// # How to add
//
// A message: a row in the role x message table, a story in testdata (its README.md has
// the commands), a line in docs/protocol.md. An input: a type in input.go, a case in
// Replica.take, a story. A deliberate bug: package mutation, and a story that notices it.
package replica
