// Package raftcore is the map of Quorate's Raft library. It knows nothing of Kubernetes,
// and is embedded in programs of any kind.
//
// A program brings a state machine (package machine), a data directory (package filelog)
// and a transport (package tcp), and gives them to a host (package host), which runs one
// member: the Example below is a whole cluster. docs/library.md says more, and
// docs/testing.md how to test what was built.
//
// # In this room
//
// Nothing but this map and the Example. The rooms, from the nouns outwards:
//
//   - protocol: terms, entries, messages, memberships.
//   - quorum: how to count. progress: what a leader knows of a follower. membership: from
//     one configuration to the next.
//   - replica: Raft itself, as a function from inputs to effects.
//   - session: what makes commands take effect exactly once.
//   - repair: whom a member asks for what its disk has damaged.
//   - machine: the contract of a state machine; machinetest tests one.
//   - codec: the contract of a Serializer, and Msgpack; codectest tests one.
//   - storage: the contracts of log, votes and snapshots; filelog keeps them in files;
//     storagetest tests others.
//   - transport: the contract of a transport; tcp is one; transporttest tests others.
//   - vfs: the file system as filelog needs it, and one in memory that loses power.
//   - fault: what can go wrong for good, with its remedy.
//   - host: runs one member. This is what a program starts.
//   - devtools: what helps to test all that: logs and messages in memory, a pauser, a
//     simulator.
//
// # Never here
//
// Code: a program imports the rooms that it needs.
//
// # Invariants
//
// The arrows between the rooms are those of ARCHITECTURE.md, and none leads to a module of
// Kubernetes.
//
// # How to add
//
// A room: a folder with a doc.go, a line above, and its arrows in internal/repotest.
package raftcore
