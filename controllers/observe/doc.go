// Package observe gathers what there is of one cluster into one value.
//
// # In this room
//
// [Gather], the only reader of the API server and of nodes, and [Observed], the picture
// that it gives, with the questions that can be answered from the picture alone: who
// leads, what a member suffers from, whether it is well.
//
// # Never here
//
// Writing, and deciding what to do.
//
// # Invariants
//
// An Observed never changes after Gather returned it, and reads no clock: its Now is
// part of it. Objects that carry a cluster's label but are not owned by it are not part
// of the picture. What comes from the cache may be old; whoever destroys something
// reads it again, uncached.
//
// # How to add
//
// A fact: a field of Observed or Member, filled in gather.go. A question: a method, with
// a case in the tests of those who ask.
package observe
