// Package observetest reads pictures of clusters from a few words a line, for stories.
//
// # In this room
//
// [Read], and the language that its comment tells; [Stories], which runs a folder of them.
//
// # Never here
//
// Anything that the operator needs when it runs.
//
// # Invariants
//
// A word that is not known is an error, so a story never says less than it seems to.
//
// # How to add
//
// A word: a case, and its place in the comment of Read.
package observetest
