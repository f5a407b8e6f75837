// Command quorate-operator hosts Raft clusters on Kubernetes: it turns each RaftCluster
// into pods that form one Raft group, tells how the group is, and mends it.
//
// # In this room
//
// The main function: flags, and the manager that runs the controller.
//
// # Never here
//
// What the operator does: that is in controllers/raftcluster and the rooms around it.
// ARCHITECTURE.md has the picture of the house.
//
// # Invariants
//
// main.go has at most 60 lines. Of several operators one works, the one that holds the
// Lease; it gives the Lease back when it is stopped in order.
//
// # How to add
//
// A flag: here, in config/manager and in the chart.
package main
