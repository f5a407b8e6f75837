// Package session is the table of client sessions that every member keeps: what makes
// a command take effect exactly once although its client sends it again (paper section
// 8, thesis section 6.3).
//
// # In this room
//
// [Table]: a deterministic function of the applied entries. It says of each command in
// a session whether it is to be executed, remembers the answer to the last one, and
// expires sessions.
//
// # Never here
//
// Time, disks, encodings (package codec has them), waiting clients, state machines.
//
// # Invariants
//
//  1. Equal entries give equal tables on all members, down to the order of use.
//  2. A command is executed when its serial is the last one's plus one, and only then;
//     its first answer is the answer to every duplicate of it.
//  3. Only log contents decide when a session expires. The clock advances by the differences
//     between readings of one leader in one term: what passes while nobody leads, and by how
//     much members' clocks differ, counts for nothing. A sign of life counts as of
//     the first reading after it, so a session never expires too early.
//  4. A client's ID is the index of the entry that opened its session: it is never another's.
//
// # How to add
//
// An operation on sessions: a value of protocol.SessionOp, a case in Table.Change, a story
// in testdata, a random draw in model_test.go, and golden bytes in package codec.
package session
