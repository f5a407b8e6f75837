// Package raftdiff compares our Raft core with go.etcd.io/raft, where that gives an oracle.
//
// # In this room
//
// Tests that ask both the same: what a majority is and has (quorum_test.go), which
// configuration follows on which (membership_test.go), and what becomes of the same
// schedule of campaigns, proposals, cuts and crashes (schedule_test.go, with the two
// clusters in ours_test.go and peer_test.go). It is a module of its own, with its own
// workspace, so that the other core is no dependency of Quorate:
//
//	cd test/raftdiff && go test . -seed 7
//
// # Never here
//
// Tests that need no peer: they are beside what they test.
//
// # Invariants
//
// Where the two differ, a comment says which of them is right and why, with the section of
// the paper or the thesis. Whatever is random comes from a seed that is printed.
//
// # How to add
//
// A test for each thing that both decide by themselves; what only one of them has is left
// out of the question, not bent.
package raftdiff
