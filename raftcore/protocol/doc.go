// Package protocol holds the nouns of Raft: identifiers, terms, indexes, log
// entries, messages and memberships.
//
// # In this room
//
// Plain values that every other room speaks about: [MemberID], [Term], [Index],
// [Entry], [Command], [Message] with its bodies, and [Membership]. The words are
// those of the Raft paper (Ongaro and Ousterhout, 2014) where it has one.
//
// # Never here
//
// Behaviour, encodings, files, sockets, clocks. A noun that needs one of them
// belongs in the room that owns it.
//
// # Invariants
//
// The log starts at index 1 and the first term is 1; zero means "none" for both.
// A value that was handed to another room is never changed afterwards, payload
// bytes included: they are shared by the log, the network and the state machine.
//
// # How to add
//
// A new message: a struct here, a [MessageKind], a row in the dispatch table of
// package replica, its encoding in package codec with golden bytes, and a section
// in docs/protocol.md. A new entry kind: a constant here, and the places that the
// exhaustiveness test of package replica names.
package protocol
