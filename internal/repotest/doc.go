// Package repotest checks the repository as a whole: what no compiler and no linter
// looks at.
//
// # In this room
//
// [Tree], which reads a repository once, and [Checks], a list of functions from a Tree
// to [Problem] values. A test runs them all over this repository.
//
// # Never here
//
// Checks of one room's behaviour: they are tests of that room. What golangci-lint
// knows already.
//
// # Invariants
//
// A check reads only the Tree. Every check is shown to fail: fixtures_test.go has a
// small repository with that fault for each. An exception is data, with its reason.
//
// # How to add
//
// A check: a function here, a row in Checks, a fixture that it refuses. A room or an
// arrow: a row in rooms.go, and a dated decision when it bends the house's plan.
package repotest
