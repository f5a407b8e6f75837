// Package nodeclient talks to the admin endpoint of a node.
//
// # In this room
//
// [Client], which other rooms depend on, [HTTP], its one implementation, and
// [ParseTermination], which reads a node's last words from its container's status.
//
// # Never here
//
// What an answer means for the cluster: that is asked in observe.
//
// # Invariants
//
// A call ends when its context does, at the latest after its own timeout, and an answer
// is read up to a bound: a node that hangs or babbles costs a pass a moment, no more. An
// answer of another cluster or member is an error, because pod addresses are reused.
//
// # How to add
//
// A verb: a path in nodeapi, a method here, a case in client_test.go against a real
// HTTP server.
package nodeclient
