// Package v1alpha1 is the RaftCluster resource: what a user asks for, and what the
// operator answers.
//
// # In this room
//
// Types with their markers (schema, defaults, CEL rules, print columns), the names of
// conditions and reasons, and the labels and annotations that are part of the contract.
// The CRD in config/crd and zz_generated.deepcopy.go are generated from here.
//
// # Never here
//
// Behaviour: what is done about a spec is decided in controllers/plan.
//
// # Invariants
//
// Every CEL rule has a case that passes and one that fails in validation_test.go, run
// against a real API server. Messages begin with the field's path below spec and say
// what to do. The names of conditions and reasons never change. Status holds only what
// cannot be found again by looking, or what a person wants to see.
//
// # How to add
//
// A field: optional with a default, or with a meaning for its absence; regenerate, add
// a case per rule. A reason: a constant with a comment in conditions.go.
//
// +kubebuilder:object:generate=true
// +groupName=quorate.dev
package v1alpha1
