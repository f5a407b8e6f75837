// Package server makes a member out of its parts: configuration, storage, Raft,
// state machine, client API and admin endpoint. It is the whole of a node's binary but
// for the state machine, so that people bring one of their own with
//
//	func main() { server.Main(server.App{NewMachine: NewMyMachine}) }
//
// # In this room
//
// [Main] with the commands serve, dev, log and version; [Member], which is one
// member from the opening of its directory to its end; [Node], what a client API
// may use of it.
//
// # Never here
//
// The parts themselves. Kubernetes: what the operator needs is in nodeapi.
//
// # Invariants
//
// A fault of the world never ends the process without a word: the member stays
// alive and fenced, or its status is in the termination message; what is no fault of a
// member, such as a port that somebody else has, is there as text. A wrong
// flag is told at once and ends the process with code 2.
//
// # How to add
//
// A flag: a field of [Config], a line in its flags method, a check in validate, and
// a row in the test of bad input. Each flag has an environment variable by itself.
package server
