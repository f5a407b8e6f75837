// Package memcomms carries messages between members that live in one process.
//
// # In this room
//
// [Switchboard], on which each member gets its [Comms], an implementation of
// transport.Comms; and what can be done to the traffic: cut a way, hold it back and
// let it go message by message, break a connection, drop what a function picks; and
// [Interceptors], which look at single messages, change, drop, delay and repeat them.
//
// # Never here
//
// Sockets, randomness, Raft's rules; no clock but for what an interceptor delays.
//
// # Invariants
//
// What arrives has gone through the Serializer, so that a value that a real transport
// could not carry is noticed. A member's Handler is called, for each sender, from one
// goroutine. What waits for one member
// from one sender is bounded: 16 MiB, beyond which messages are dropped; what a test holds
// back is not.
//
// # How to add
//
// Another thing that a network can do: a verb of Switchboard, a field of route, a
// test. It must keep the contract, as only interceptors do not: a message arrives at most
// once and in order.
package memcomms
