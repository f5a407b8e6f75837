// Package simtest runs many simulations in a test.
//
// # In this room
//
// [Workload] for a test of a state machine of your own; [Run] and [Suite], which have more to
// choose. They simulate clusters with package sim on all processors, tell how far they are,
// shrink what fails and print how to see it again. The flags
//
//	-sim.seeds n      how many seeds, in place of what the test says
//	-sim.first n      the first seed
//	-sim.only "..."   one run only, with every event: what a failure prints
//	-sim.failures n   stop after so many failures
//	-sim.record file  append the shrunk failures to a file of regressions
//
// follow the package's name: go test ./mine -run TestMine -sim.seeds 100000.
//
// # Never here
//
// What is simulated and what is checked: package sim.
//
// # Invariants
//
// A run depends on its options alone: that many go on at once changes nothing. A failure names
// the seed, the options and the command.
//
// # How to add
//
// A choice for users: a field of [Suite]. A flag: here and in the list above.
package simtest
