// Package codectest is the conformance suite for implementations of codec.Serializer,
// and holds sample values of every kind.
//
// # In this room
//
// [TestSerializer], which an implementation calls from a test of its own; [Messages],
// [Entries], [Commands] and [Memberships], fixed samples that golden files are made of;
// [Random], which draws values from a seed.
//
// # Never here
//
// Anything about one particular format: golden bytes lie beside their format.
//
// # Invariants
//
// There is a sample of every message kind, entry kind and suffrage; TestSerializer fails
// when one is missing. Every failure names the seed or the sample that shows it.
//
// # How to add
//
// A sample: to the list in samples.go, at its end. A duty of serializers: a function in
// suite.go, named in TestSerializer, and a sentence on the contract.
package codectest
