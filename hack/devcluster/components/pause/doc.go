// Command pause holds a pod's namespaces open: it is the first process of every pod.
//
// # In this room
//
// Waiting for a signal, and reaping what the pod's processes leave behind.
//
// # Never here
//
// Imports from outside the standard library.
//
// # Invariants
//
// It ends at once on SIGINT and SIGTERM, so that a deleted pod does not wait for it.
//
// # How to add
//
// Nothing should need adding.
package main
