// Package storagetest is the conformance suite for storage.
//
// # In this room
//
// [TestLog], [TestVotes] and [TestSnapshots]: run them against an implementation to
// see that it keeps the contracts of package storage. [Model] is the obvious log that
// the suite compares with.
//
// # Never here
//
// What only one implementation promises, such as the form of its files.
//
// # Invariants
//
// A test relies on nothing but the contract. What is drawn at random comes from a seed
// that is printed when the test fails. What needs durability, or a disk that can fail,
// is skipped where the implementation has neither.
//
// # How to add
//
// A promise in the contract gets a row in the table of its suite, and every
// implementation is run.
package storagetest
