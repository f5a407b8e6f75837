// Command queue-node is a node whose state machine is package queue, for any cluster that
// the operator or "queue-node dev" makes:
//
//	curl -d "an item" localhost:2379/put
//	curl -X POST localhost:2389/take
//
// # In this room
//
// What main gives to server.Main: the state machine, and how it serves its clients.
//
// # Never here
//
// What every node has: flags, data directory, health and metrics come from package server.
//
// # Invariants
//
// Any member serves any client. A take that ended with an error may have taken an item.
//
// # How to add
//
// A command: in package queue, and a path here.
package main
