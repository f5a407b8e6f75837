// Package repair decides whom a member asks for entries whose records are damaged on its
// disk, and what to make of the answers.
//
// # In this room
//
// [Repairer] is what the damaged member runs: one tick after another it says whom to ask
// for what, the leader first and then the others in turn, and picks from an answer what
// was asked for. [Answer] is the other side. Both are pure, so that package host and the
// simulator use the same ones.
//
// # Never here
//
// Disks, clocks, sockets: whoever uses it reads and writes the log, counts ticks and
// carries messages. When a member may not lead is package host's to say.
//
// # Invariants
//
// What is damaged stays in the log: it is asked for again and again, and never voted
// away. An entry is taken only for one with its own term and index: then it is the same
// entry (paper section 5.3, Log Matching). Only when every other member has told that it
// does not have an entry, and a long time has passed, is it called lost.
//
// # How to add
//
// Another source of entries: a kind of answer in Take, and a test in which only that
// source has them.
package repair
