// Command quorate-node is one member of a Quorate cluster whose state machine is a
// key-value store with the etcd v3 API. The program around the state machine is
// package server; a binary with another state machine differs from it in a line.
//
// # In this room
//
// The program's main function, and the few lines that let package etcdapi serve the
// store of package kv on a member of package server.
//
// # Never here
//
// Anything that a binary with another state machine would need too: that is package
// server's.
//
// # Invariants
//
// None beside those of the packages that are joined here.
//
// # How to add
//
// A room of the node is a folder beside this file.
package main
