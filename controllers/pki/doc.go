// Package pki decides about certificates: who needs which, when each is replaced, and in
// which order, so that everybody always takes everybody else's.
//
// # In this room
//
// [Subject], what a certificate says; [Authority], which signs; [Next], from one [Picture]
// of a cluster's own CA to the steps that are due, and [Do], which gives what a Secret
// holds after a step; [Problem], which finds what is wrong with certificates that
// somebody else made; [ClientConfig], with which the operator talks to members.
//
// # Never here
//
// Reading and writing Secrets, and files: both happen elsewhere. Clocks: the time is in the picture.
//
// # Invariants
//
// Whoever is in the group takes the certificate that every other one uses now, and the one
// that lies in that other one's Secret already. It follows from the order of a rotation,
// each step of which is a Secret written as a whole:
//
//  1. Announce: a new CA enters the bundle of the CA's Secret, and signs nothing. Then it
//     enters ca.crt of every other Secret (Trust).
//  2. Promote: it signs from now on. Only when every Secret trusts it, every member that
//     runs has told in /statusz that it does, and a third of a leaf's life has passed for
//     clients that nobody can ask. Then every leaf is signed anew (Issue).
//  3. Retire: the former CA leaves the bundle. Only when no Secret holds a leaf of it,
//     every member that runs has told that it uses the leaf in its Secret, and a leaf's
//     life has passed since it signed.
//
// What a Secret holds is all that is remembered: an operator that stops anywhere goes on
// from there. A member that does not answer holds 2 and 3 up, but not beyond the end of the
// former CA, from which on nobody would take anybody: there the wait ends a third of a
// leaf's life earlier. A CA whose Secret is lost is replaced in the same order; its
// certificate is found in the bundles.
//
// # How to add
//
// A holder of a certificate: a Subject with a URI of nodeapi, its Secret's name in
// api/v1alpha1, and a Holder where raftcluster makes the picture. A step: a kind, its
// condition in rotate.go, its doing in do.go, and a word in the test that lives through
// years.
package pki
