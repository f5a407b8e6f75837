package memlog

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Sequence is a log as a plain value: the entries above a base, without gaps. It
// has no lock. The zero value is an empty log.
type Sequence struct {
	base    protocol.EntryID
	entries []protocol.Entry
}

// Base gives the identity of the entry before the first one that is held.
func (s *Sequence) Base() protocol.EntryID { return s.base }

// Last gives the identity of the last entry, which is the base when none is held.
func (s *Sequence) Last() protocol.EntryID {
	if n := len(s.entries); n > 0 {
		return s.entries[n-1].ID()
	}
	return s.base
}

// Term gives the term of the entry at i; ok is false below the base and beyond the
// end.
func (s *Sequence) Term(i protocol.Index) (t protocol.Term, ok bool) {
	switch {
	case i == s.base.Index:
		return s.base.Term, true
	case i < s.base.Index || i > s.Last().Index:
		return 0, false
	}
	return s.entries[i-s.base.Index-1].Term, true
}

// Insert puts contiguous entries at entries[0].Index, which must be in
// (Base.Index, Last.Index+1], and gives how many old entries were cut off.
func (s *Sequence) Insert(entries []protocol.Entry) (cut int) {
	at := int(entries[0].Index - s.base.Index - 1)
	cut = len(s.entries) - at
	s.entries = append(s.entries[:at], entries...)
	return cut
}

// Reset makes the log empty with another base.
func (s *Sequence) Reset(base protocol.EntryID) { *s = Sequence{base: base} }

// Compact forgets the entries up to and including upTo, which must be held or be the
// base, and gives the new base.
func (s *Sequence) Compact(upTo protocol.Index) protocol.EntryID {
	if upTo > s.base.Index {
		n := upTo - s.base.Index
		s.base = s.entries[n-1].ID()
		s.entries = s.entries[n:]
	}
	return s.base
}

// Read gives copies of the entries from lo up to and including hi, which must be
// held, as many as fit into maxBytes but at least one. Payloads are shared.
func (s *Sequence) Read(lo, hi protocol.Index, maxBytes int) []protocol.Entry {
	all := s.entries[lo-s.base.Index-1 : hi-s.base.Index]
	size, n := all[0].Size(), 1
	for n < len(all) && size+all[n].Size() <= maxBytes {
		size += all[n].Size()
		n++
	}
	return slices.Clone(all[:n])
}

// Clone gives an independent copy.
func (s *Sequence) Clone() Sequence {
	return Sequence{base: s.base, entries: slices.Clone(s.entries)}
}

// State describes what is held.
func (s *Sequence) State() protocol.LogState {
	st := protocol.LogState{Base: s.base, Last: s.Last().Index}
	for _, e := range s.entries {
		if n := len(st.Terms); n == 0 || st.Terms[n-1].Term != e.Term {
			st.Terms = append(st.Terms, protocol.TermStart{Term: e.Term, First: e.Index})
		}
	}
	return st
}

// Truncate forgets the entries after the index, which must be held or be the base's.
func (s *Sequence) Truncate(after protocol.Index) {
	s.entries = s.entries[:after-s.base.Index]
}
