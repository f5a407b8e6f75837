// Package codec turns protocol values into bytes and back.
//
// # In this room
//
// The [Serializer] contract; [Msgpack], the format on files and on the wire;
// [Identity], which passes values through for logs and comms in memory; and the frame
// around a log record. codectest is the conformance suite. testdata holds golden
// bytes: they are the format's specification.
//
// # The format
//
// Each value is one msgpack array. Its first element is the version of the format that a
// reader must know in order to understand it; the other fields follow in a fixed order.
//
//	message     [1, kind, from, to, term, body]
//	entry       [1, kind, term, index, payload]
//	command     [1, client, serial, reply-to member, reply-to request, payload]
//	membership  [1, [[id, address, suffrage, name, client address, incarnation]...], [outgoing voter...], highest id]
//	change      [1, operation, reply-to member, reply-to request, [client...], clock, timeout, most sessions, largest answer]
//	session     [1, client, timeout, largest answer, active, fresh, seen, serial, too large, answer]
//	head        [1, applied, clock, term of the clock, reading]
//
// change, session and head are of client sessions: the payload of an entry, and what members
// keep in snapshots and state machines. Messages of the kinds after Forward have version 2, and
// one that forwards other entries than commands; all others have version 1.
//
// A body is an array of the fields of its struct in their order, entry identities as two
// fields (term, index), in a list as [term, index]; an entry inside of a body is [kind, term, index, payload]. Whole
// numbers are msgpack integers, payloads msgpack bin, addresses msgpack str.
//
// Versions and added fields work together like this:
//   - A field that an older reader may ignore is added at the end of its array, and
//     the version stays. Older readers skip what follows the fields they know; newer
//     readers take a missing field as zero, so zero must mean what was meant before.
//   - Whatever an older reader may not ignore, or would misread, gets the next version.
//     A writer writes the lowest version that says what it has to say. A reader refuses
//     versions above its own with [ErrNewerVersion].
//   - A new kind of message or entry needs no new version: a reader that does
//     not know the kind refuses it with [ErrUnknownKind].
//
// The bytes are written and read by github.com/hashicorp/go-msgpack/v2. Values are its
// Selfers and call its primitives themselves, so that no value passes through reflection,
// and its encoders and decoders are pooled. It is lenient and trusts what it reads, so
// our reader checks the type of each element, and each claim of a length, before the library
// is asked. docs/decisions/0007-msgpack-library.md has the alternatives and figures.
// Tests read every golden value with the library's own reflection too, to prove that it is
// plain msgpack.
//
// # Never here
//
// Files, sockets, Raft's rules.
//
// # Invariants
//
// What one version wrote, every later version reads. A length is checked against
// what is there before anything is allocated. Bytes of a newer version give an
// error that says so, never a guess.
//
// # How to add
//
// A field: at the end of its array, optional when read, with new golden bytes beside the
// old ones. A message: see package protocol; its two functions go into
// bodies_encode.go and bodies_decode.go, its samples into codectest.
package codec
