// Package devtools is the map of what helps to test a Raft group: ours and our
// users'.
//
// # In this room
//
//   - memlog: log, vote and snapshots in memory, which can be told to hold back, to
//     fail and to lose.
//   - memcomms: messages between members of one process, which can be told to cut,
//     hold back and drop, and lets interceptors meddle with each message.
//   - pauser: stops a whole group when a condition is met, for a look; then it goes on
//     or makes a step.
//   - sim: a deterministic simulator of whole clusters with crashes, partitions and
//     slow disks, which checks Raft's properties after every step.
//   - spec: explains what sim does by the actions of Raft's published specification.
//   - simtest: runs many simulations in a test, of Raft or of a user's state machine.
//   - diagram: draws what happened as a sequence diagram.
//
// A test with real hosts takes memlog and memcomms, and a pauser when it must look at
// a certain moment. A test of Raft's rules, or of a state machine under all orders of
// events that a seed can think of, takes sim and simtest. protocoldoc_test.go drives sim into the
// situations that docs/protocol.md tells of and draws them there.
//
// # Never here
//
// Anything that a running member needs. The packages may be used by tests of any room
// and by tests outside this repository.
//
// # Invariants
//
// What implements a contract passes that contract's conformance suite. Nothing here
// sleeps, and whatever is random comes from a seed.
//
// # How to add
//
// A tool is a folder of its own with a line above. A picture in docs/protocol.md is a line
// in plays, the paper's flow in testdata/paper_flows.txt, and a mark in the document; go
// generate draws it.
package devtools
