// Package progress is what a leader knows of one follower.
//
// # In this room
//
// [Progress]: how far the follower's log is known to equal the leader's, what to send
// next, how much is unanswered, when it was last heard, and which life of its
// volume and process answers.
//
// # Never here
//
// Messages, the leader's log, decisions about commitment.
//
// # Invariants
//
// They are numbered on [Progress].
//
// # How to add
//
// A state: a constant, a line in CanSend, and its transitions as methods here, so
// that package replica never sets State itself.
package progress
