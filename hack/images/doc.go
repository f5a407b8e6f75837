// Command images packs static binaries into image archives, without a container engine.
//
// # In this room
//
// One layer from files and links, a configuration, and an archive that is both an
// OCI layout and what docker save writes: ctr, kind and docker all load it.
// With -push it sends an archive to a registry instead.
//
// # Never here
//
// Anything that must run inside an image to build it.
//
// # Invariants
//
// The same input gives the same bytes: every time stamp is fixed, entries are sorted.
//
// # How to add
//
// A flag in main.go and a field of spec in image.go; the test in image_test.go reads the archive back.
package main
