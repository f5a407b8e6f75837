// Command testsum reads what "go test -json" writes and tells a person what happened.
//
// # In this room
//
// A reader of test events, which prints go test's own lines and the whole output of
// whatever failed, and ends with one line of counts.
//
// # Never here
//
// Running tests. A count that is not derived from an event.
//
// # Invariants
//
// Everything that go test calls failed is counted as failed, also what has no name: a
// package that did not compile, crashed, or ran out of time, a test that started and
// never ended, and a run whose events are not there. The exit status is 0 only when nothing failed and something passed.
//
// # How to add
//
// A new kind of event: a case in summary.add, and a line in its test.
package main
