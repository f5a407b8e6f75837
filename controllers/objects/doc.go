// Package objects says which Kubernetes objects a RaftCluster needs.
//
// # In this room
//
// Pure functions from a RaftCluster to objects: [Shared] gives what a cluster has once,
// [Member] the StatefulSet of one member. [Difference] tells whether a live object already
// is what is wanted.
//
// # Never here
//
// Reading or writing anything, and the question when an object may be changed (package
// plan).
//
// # Invariants
//
// The same RaftCluster gives the same objects, to the byte: the golden files in testdata
// show them whole, and a diff there is a change of every user's cluster. A change of the
// pod template restarts every member of every cluster, one at a time: think twice.
// Members are built from what status latched (clusterID, replicas), never from a spec
// that may have changed since.
//
// # How to add
//
// An object: a file with one function of plain assignments, a line in [Shared], an
// RBAC marker in package raftcluster; then run the tests with -update and read the diff.
package objects
