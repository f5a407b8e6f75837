// Package etcddiff compares our etcd API with a real etcd.
//
// # In this room
//
// A test for keys and one for members, which send the same random requests to both. It is a module of its own,
// with its own workspace, so that etcd's server is no dependency of Quorate:
//
//	cd test/etcddiff && go test -for 1m .
//
// # Never here
//
// Tests that need no etcd: they are beside what they test.
//
// # Invariants
//
// Where the two differ, etcd is right, or a dated decision says why not.
//
// # How to add
//
// A request that is implemented now: a case in generator.call, or in memberCall.
package etcddiff
