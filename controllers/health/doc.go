// Package health says how a cluster is, as conditions.
//
// # In this room
//
// [Conditions], and a file for each condition that reads the picture. Progressing comes
// from the plan, because only it knows what it is doing.
//
// # Never here
//
// Reading servers, and deciding what to do.
//
// # Invariants
//
// Pure: the same picture gives the same conditions, to the letter; a message holds
// nothing that changes from pass to pass, such as an index or a duration. Every
// condition is always there. BootstrapComplete and DataLossPossible never go back.
//
// # How to add
//
// A condition: a constant with its reasons in api/v1alpha1, a file with one function, a
// line in Conditions, cases in health_test.go.
package health
