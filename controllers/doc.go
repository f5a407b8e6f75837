// Package controllers holds the operator, a room for each duty.
//
// # In this room
//
// Nothing but the rooms: raftcluster (Reconcile), observe (gathers what is), plan
// (decides the next act), pki (decides about certificates), objects (what is wanted of Kubernetes), health (conditions),
// nodeclient (talks to a node).
//
// # Never here
//
// Raft itself: the operator knows a node only by package nodeapi.
//
// # Invariants
//
// Only observe reads and only raftcluster writes; plan, objects and health are pure, and
// pki is but for the keys that it draws.
//
// # How to add
//
// See the room's own doc.go.
package controllers
