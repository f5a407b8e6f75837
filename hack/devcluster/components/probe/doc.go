// Command probe is a small HTTP server with a volume, for the devcluster's own test.
//
// # In this room
//
// GET / tells the pod's name; /put?v=VALUE and /get write and read a file on the
// volume; /fetch?url=URL fetches from another pod; /lookup?host=NAME asks the DNS. With arguments it prints them and ends.
//
// # Never here
//
// Anything of Quorate: a failure of this program is a failure of the devcluster.
//
// # Invariants
//
// /put answers only after the file is on the volume (fsync of file and directory).
//
// # How to add
//
// A handler in main.go, with a check of it in hack/devcluster/smoke_test.sh.
package main
