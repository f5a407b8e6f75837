// Command chartgen copies into the Helm chart what controller-gen made from the
// code: the CRDs and the operator's permissions.
//
// # In this room
//
// Functions from the text of config/ to the text of two chart templates, and the
// files around them.
//
// # Never here
//
// Anything that a person decides: that is written into the chart itself.
//
// # Invariants
//
// The chart's rules are those of config/rbac, no wider; its CRDs are those of
// config/crd with one annotation more. The same input gives the same bytes.
//
// # How to add
//
// A file that the chart copies: a function like [crdTemplate], an entry in outputs,
// a case in the test.
package main
