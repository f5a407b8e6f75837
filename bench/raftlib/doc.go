// Command raftlib measures Raft libraries side by side: three members on loopback
// TCP with real files and fsync, a closed loop of proposers or readers on the leader.
//
// # In this room
//
// A child process for each library (child.go) with the load and its figures (load.go);
// the turns (compare.go); one group of files for each library: quorate.go, etcd*.go,
// hashicorp.go, and floor.go, which is no Raft but the least that durable replication
// costs. targets.go, report.go, remarks.go and plot.go make the page of docs/ with its
// pictures; the page's words are in benchmarks.md.tmpl, and in remarks.md.tmpl what is known
// about the points that miss their targets.
//
// # Never here
//
// Anything that the project imports: this is a module of its own, so that the peers
// never become dependencies.
//
// # Invariants
//
// Every library does the same work: a proposal is done when its state machine on
// the leader has applied it, after a majority has it on disk. No library shares a heap
// with another one. Runs of the libraries are interleaved, so that a drifting machine is fair
// to all, and ratios are of runs of the same round.
//
// # How to add
//
// A library: a file that implements library, a line in main.go, a look in plot.go, and what it
// does in benchmarks.md.tmpl. A point: a line in main.go, its target in targets.go, and once it was
// looked at (-profile, -trace) its remark in remarks.md.tmpl. To compare two builds of our
// own core: -only quorate -also old=path/of/the/other/binary.
package main
