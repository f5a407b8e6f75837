// Package etcdapi serves the etcd v3 gRPC API over the key-value store.
//
// # In this room
//
// [Server] with the services KV, Watch, Cluster, Maintenance and gRPC health; the
// checks of requests and the translation of errors into etcd's codes and texts,
// which clients compare. What is not there yet (Lease, Auth, Lock, Election, and some
// methods) answers Unimplemented and says its name. Changes of the membership are made by
// the leader: another member hands the call on to it.
//
// # Never here
//
// Rules of the store (package kv), replication (a [Backend] does it), and anything
// on a call's path that is not the call: no interceptors, labels or log lines.
//
// # Invariants
//
// A request is checked before it is proposed, so that what etcd refuses never gets
// into the log. A read is linearizable unless the client asks for serializable: it
// waits for Backend.ReadBarrier and then reads this member's store. Every answer's
// header has the cluster's and the member's ID, the revision and the term.
//
// # How to add
//
// A method: on its service's type, with its checks in check.go when it has some, its
// errors in errors.go, and a test with the official client. Then take it from
// the list in unimplemented.go.
package etcdapi
