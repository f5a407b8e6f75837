// Package codec turns protocol values into bytes and back.
//
// # In this room
//
// The [Serializer] contract; [Msgpack], the format on files and on the wire, made
// with github.com/hashicorp/go-msgpack/v2 without reflection; [Identity], which
// passes values through for logs and comms in memory; and the frame around a log
// record. testdata holds golden bytes: they are the format's specification.
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
// old ones. A message: see package protocol.
package codec
