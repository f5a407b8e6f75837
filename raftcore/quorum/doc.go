// Package quorum decides whether enough voters agree.
//
// # In this room
//
// [Config], the voters of a single or joint configuration, with the two questions
// that Raft asks: does a majority say yes, and up to which index has a majority
// acknowledged.
//
// # Never here
//
// What the voters are asked, who is a learner and why, messages, terms.
//
// # Invariants
//
// A joint configuration agrees only when both of its halves do (paper section 6).
// Any two sets of voters that agree under one Config have a voter in common. A
// Config without voters never agrees.
//
// # How to add
//
// Another question: a method of Config, and its slow, obvious twin in the test that
// proves the fast one.
package quorum
