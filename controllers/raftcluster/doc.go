// Package raftcluster reconciles RaftClusters.
//
// # In this room
//
// [Reconciler], a file for each of its four steps: observe.go, decide.go, act.go (with
// apply.go, restart.go and membership.go) and report.go; and setup.go, which wires it to a manager.
//
// # Never here
//
// Decisions: what is done next is decided in plan, what is wanted in objects, how things
// are in health.
//
// # Invariants
//
// Status is written at most once a pass, only when it changed, and only over the very
// version that the pass began with: a pass on an old picture cannot undo a latch.
// Nothing is destroyed on the word of a cache: the RaftCluster and the pod are read from
// the API server itself just before, and the deletion names that very version of the
// pod. What changes a group, or deletes an object of a member that has left, is planned
// again on a picture past every cache, and done only when the plan is the same. Objects of
// others are never taken over. The operator may stop after any write: the next pass starts
// from what there is.
//
// There is no finalizer: all that the operator makes is owned by the RaftCluster, so
// Kubernetes collects it, and the volumes go or stay by the retention policy of their
// StatefulSets. A finalizer would only be one more way to get stuck.
//
// # How to add
//
// An action: a case in act.go, an RBAC marker in setup.go if it needs a right, and a
// case in the crash test, which stops the operator after each write.
//
// A test: a world of its own (newWorld in world_test.go), which is a namespace of the one real
// API server that this room's tests share, with the nodes, the kubelets and the clock of a
// model. Worlds live side by side, so a test gives what belongs to no namespace the
// namespace's name, and calls t.Parallel before the loop when its subtests have the worlds. One
// that changes what the API server knows, or measures time, has newLoneWorld. A step of a
// world and a pass of the operator cost little else than calls of the API server: nothing
// waits but for an answer, and a test that lists what the step has listed pays twice.
package raftcluster
