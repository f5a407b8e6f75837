// Command raftlib measures Raft libraries side by side: three members on loopback
// TCP with real files and fsync, a closed loop of proposers on the leader.
//
// # In this room
//
// The load and its figures (load.go), and one file for each library: quorate.go
// and hashicorp.go. Each implements the interface library.
//
// # Never here
//
// Anything that the project imports: this is a module of its own, so that the peers
// never become dependencies.
//
// # Invariants
//
// Every library does the same work: a proposal is done when its state machine on
// the leader has applied it, after a majority has it on disk. Runs of the libraries
// are interleaved, so that a drifting machine is fair to all.
//
// # How to add
//
// A library: a file that implements library, and a line in main.go.
package main
