// Package vfstest is the conformance suite for file systems.
//
// # In this room
//
// [TestFS], which every implementation of vfs.FS passes.
//
// # Never here
//
// What only one implementation promises, such as what Mem loses.
//
// # Invariants
//
// A test relies on nothing but the contract.
//
// # How to add
//
// A promise in the contract of vfs.FS gets a row in the table of TestFS.
package vfstest
