// Package apitest gives tests a real API server that knows the CRDs.
//
// # In this room
//
// [Main] and [Namespace]. The API server is as released; it runs without its watch cache, so
// that a list is answered by etcd at once.
//
// # Never here
//
// Anything that the operator needs when it runs.
//
// # Invariants
//
// A test that needs an API server and finds none fails and says how to get one. It is
// never skipped: what is not run proves nothing.
//
// # How to add
//
// A helper that more than one room's tests use.
package apitest
