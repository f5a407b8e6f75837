// Package vfs is the file system as this project needs it: about a dozen operations,
// small enough that a disk can be imitated with all its malice.
//
// # In this room
//
// [FS] and [File]; [OS], the real one; [Mem], a file system in memory that can lose
// its power, with [PowerLoss] as the dial of what is lost, or its process; [Faulty], which wraps
// another FS and fails by [Rule]. vfstest is the conformance suite for all of them.
//
// # Never here
//
// What the bytes mean; policies such as retries.
//
// # Invariants
//
// Names are paths with slashes. What was written is durable only after [File.Sync],
// what was created, renamed or removed only after [FS.SyncDir] of its directory: code
// that forgets one of them works on OS on a good day and fails on Mem by design.
// Mem never invents bytes: after a power loss each sector of a file has one of the
// contents that it had since its last Sync, and each directory entry was there at
// some time since the last SyncDir.
//
// # How to add
//
// An operation is added to FS or File only when a caller cannot do without it: to all
// three implementations and to vfstest in one commit.
package vfs
