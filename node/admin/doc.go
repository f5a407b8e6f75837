// Package admin serves a member's admin endpoint: health, status, metrics, and the
// verbs of people and of the operator.
//
// # In this room
//
// [Handler] over a [Backend]: /livez, /readyz, /statusz, /metrics, /faults,
// /transfer, /found, /members and /debug/pprof. Paths and JSON shapes are nodeapi's. [Guard]
// says who may use them where certificates tell who is who.
//
// # Never here
//
// What the answers mean to Kubernetes, and how the member comes by them.
//
// # Invariants
//
// Every path answers while the member is fenced. A GET changes nothing; what changes
// something is POST or DELETE. No request can make the process end.
//
// # How to add
//
// A path: a constant in nodeapi, a method here, a row in the test table.
package admin
