// Package fault names what can break in a member, and what helps.
//
// # In this room
//
// [Kind] with its [Remedy], the [Fault] value, [Decision], and the [Sink]: a bounded
// ring in memory, then a small file on the volume, that every report goes through.
//
// # The sink
//
// There are two doors. [Sink.Report] is for a fault that the member cannot go on with:
// it waits until the fault is on disk, so that the host may fence itself and ask
// OnUnrecoverable after it, but never longer than Patience: a hung disk, which
// may be the very fault, holds nobody up for long. [Sink.Note] is for a fault that the
// member lives with; it never waits. Either way the fault is in memory at once, and one
// goroutine writes. When writing fails, that is counted, the fault stays in memory, and the
// next call of any method that writes tries again, once: nothing loops.
//
// The file has a fixed number of slots, made once with zeros, so that a full disk does
// not prevent a report. A slot is one block: written in one piece, with a checksum, so that
// a torn one is known and passed over. Half of the slots are for unrecoverable faults and
// half for the others; in each half the oldest is overwritten, so that a flood of small
// faults cannot wash away the one that fenced the member.
//
// A restarted process asks [Sink.Unrecoverable] why its predecessor stopped. When
// it has run well it calls [Sink.RanWell], which resolves the faults that a restart
// helps against. The others stay until [Sink.Clear], a person's or the operator's act.
//
// # Never here
//
// Detection (each room reports its own faults) and reaction (package host fences,
// the operator heals). Which errors of storage mean which kind is known where they are met,
// in package host.
//
// # Invariants
//
// Reporting never fails or panics, nor blocks beyond Patience: when the file cannot be
// written, that is counted and the fault stays in memory. Every Kind has exactly one
// Remedy.
//
// # How to add
//
// A kind: a constant and a row in the table in kind.go, a test that provokes it for
// real, a row in docs/faults.md. The operator's table follows from nodeapi.
package fault
