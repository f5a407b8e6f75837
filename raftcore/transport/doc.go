// Package transport is the contract for how members' messages travel.
//
// # In this room
//
// [Comms], which sends, and [Handler], which receives; transporttest is the
// conformance suite. tcp implements it on sockets with TLS, package memcomms in memory.
//
// # Never here
//
// Raft's rules, retries of messages (Raft repeats what matters), knowledge of what
// a body means.
//
// # Invariants
//
// A message arrives at most once, as it was sent, or not at all; two messages from one
// member to another that both arrive keep their order while the connection
// stands. Send never blocks on the network, and what is queued for one member is
// bounded and costs the others nothing.
//
// # How to add
//
// Another transport: implement Comms, run transporttest with at least two
// Serializers.
package transport
