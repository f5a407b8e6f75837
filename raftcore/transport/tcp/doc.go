// Package tcp implements transport.Comms on TCP, with TLS where it is wanted.
//
// # In this room
//
// [Transport]: one outgoing connection to each peer, which carries only what this
// member sends, and any number of incoming ones, one for each member that sends to it.
// The handshake, the frames, the queues, and [Stats].
//
// # On the wire
//
// All is frames: 'Q', 'R', the type, zero, the length of the body and the CRC-32C over
// the eight bytes before it and the body (both big endian, 4 bytes), the body. The
// side that dialled sends a hello: version, who it is, whom it means, its
// incarnation, cluster, serializer, and, if it wants to be answered by members that do not
// know it, its address, and the newest version of messages that it reads. The other side
// answers with a welcome: version, incarnation, the newest version of messages that it reads;
// or with a refusal that says why. Then message frames follow, each with one encoded
// message; nothing comes back, except a refusal when a frame cannot be read. A message that
// the other side cannot read, because its process is older, is not sent.
//
// # Queues
//
// What is sent waits in one queue for each peer, bounded by Options.MaxQueuedMessages (4096)
// and MaxQueuedBytes (64 MiB) while it is connected, 64 messages and 1 MiB while it is not. One
// goroutine for each peer takes all that waits, encodes it into one buffer and writes it
// at once. While the connection stands, a full queue drops the newest message: a gap at
// the end is filled when Raft repeats itself, whereas after a gap in the middle a follower
// refuses all that follows it; and what is queued serves as heartbeat too. While there
// is no connection only the few newest messages are kept, since they alone say
// what holds now.
//
// # Reading
//
// One goroutine for each incoming connection reads as much as has arrived and hands
// all whole frames over in one call of Receive. Payloads share the memory that was
// read into. It is never used again, so they may be kept; one that is kept pins the
// up to 256 KiB that were read with it, or the whole of a longer frame. While the handler
// blocks, the sender is held back by the kernels; when it blocks for longer than
// DeadAfter, the sender takes it for dead and connects again.
//
// # Never here
//
// Raft's rules; files (certificates come through [TLS]); a serializer of its own.
//
// # Invariants
//
// Close waits for every goroutine. For one sender at most one goroutine calls the handler:
// when a member connects again, its older connection is closed and its last
// call awaited first. Each incoming connection that was welcomed ends with exactly one
// call of Disconnected, except in Close. A peer that is not named lives no longer than its
// incoming connection. No length from the network is believed before its
// bytes are there.
//
// # How to add
//
// A field of the hello: at its end, where older versions do not look. A reason
// for refusal: a constant and a name in refusal.go. Whatever an older member would
// misread needs a new wireVersion.
package tcp
