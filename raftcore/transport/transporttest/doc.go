// Package transporttest is the conformance suite for implementations of
// transport.Comms.
//
// # In this room
//
// [Test], which an implementation calls from a test of its own; [Network], what it must
// offer for that; [Inbox], a Handler that remembers.
//
// # Never here
//
// Anything about one particular transport.
//
// # Invariants
//
// The suite never sleeps for a fixed time: it waits for what must happen, for as long as
// [Patience], and shows that something does not happen by a later message that arrives.
// As a transport may lose messages, only those are counted on that were repeated until they
// arrived.
//
// # How to add
//
// A duty of transports: a function in suite.go, named in duties, and a sentence on the
// contract. Then run every implementation.
package transporttest
