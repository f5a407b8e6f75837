// Package queue is an example: a state machine of a user's own, a first-in, first-out queue.
//
// # In this room
//
// queue.go is the state machine, queue_test.go its test in simulated clusters with
// crashes, partitions and slow disks: 100 lines together. conformance_test.go runs the
// contract's suite. queue-node is the same queue as a node's binary, with clients.
//
// # Never here
//
// Raft, files, sockets: a state machine knows nothing of them.
//
// # Invariants
//
// Apply depends on nothing but the state and the commands.
//
// # How to add
//
// Another example is a folder of its own beside this one. docs/testing.md tells more.
package queue
