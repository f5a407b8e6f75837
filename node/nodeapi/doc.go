// Package nodeapi holds the only words that the operator and a node share: ports,
// paths, environment names, JSON shapes, kinds of faults and their remedies.
//
// # In this room
//
// Constants and plain structs with JSON tags, and how certificates spell who somebody is. They
// are a contract: other people's tools rely on them.
//
// # Never here
//
// Behaviour beyond reading and spelling, and imports from outside the standard library.
//
// # Invariants
//
// Names never change and fields are only added.
//
// # How to add
//
// A field: optional (omitempty) or with a meaning for its absence, because an older
// node answers a newer operator during every upgrade, and the other way round.
package nodeapi
