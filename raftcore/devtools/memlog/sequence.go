package memlog

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// Sequence is a log as a plain value: the entries above a base, without gaps. It
// has no lock. The zero value is an empty log.
type Sequence struct {
	base          protocol.EntryID
	configuration []byte // payload of the last Configuration entry at or before the base
	entries       []protocol.Entry
	damaged       []protocol.Index // in (base, last], ascending
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
	s.forgetDamage(s.base.Index, entries[0].Index)
	return cut
}

// Reset makes the log empty with another base, and the payload of the last Configuration
// entry up to there, nil for none.
func (s *Sequence) Reset(base protocol.EntryID, configuration []byte) {
	*s = Sequence{base: base, configuration: configuration}
}

// Compact forgets the entries up to and including upTo, which must be held or be the
// base, and gives the new base.
func (s *Sequence) Compact(upTo protocol.Index) protocol.EntryID {
	if upTo > s.base.Index {
		n := upTo - s.base.Index
		s.configuration = s.Configuration(upTo)
		s.base = s.entries[n-1].ID()
		s.entries = s.entries[n:]
		s.forgetDamage(upTo, noIndex)
	}
	return s.base
}

// Configuration gives the payload of the last Configuration entry up to and including an
// index that is held or the base's; nil for none.
func (s *Sequence) Configuration(upTo protocol.Index) []byte {
	for i := upTo; i > s.base.Index; i-- {
		if e := s.entries[i-s.base.Index-1]; e.Kind == protocol.EntryConfiguration {
			return e.Payload
		}
	}
	return s.configuration
}

// Read gives copies of the entries from lo up to and including hi, which must be
// held, as many as fit into maxBytes but at least one, and none at or after a damaged one:
// none at all when lo is damaged. Payloads are shared.
func (s *Sequence) Read(lo, hi protocol.Index, maxBytes int) []protocol.Entry {
	if i, found := slices.BinarySearch(s.damaged, lo); found {
		return nil
	} else if i < len(s.damaged) {
		hi = min(hi, s.damaged[i]-1)
	}
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
	return Sequence{base: s.base, configuration: s.configuration, entries: slices.Clone(s.entries), damaged: slices.Clone(s.damaged)}
}

// State describes what is held.
func (s *Sequence) State() protocol.LogState {
	st := protocol.LogState{Base: s.base, Last: s.Last().Index, Configuration: s.configuration}
	for _, e := range s.entries {
		if e.Kind == protocol.EntryConfiguration {
			st.Configurations = append(st.Configurations, e)
		}
		if n := len(st.Terms); n == 0 || st.Terms[n-1].Term != e.Term {
			st.Terms = append(st.Terms, protocol.TermStart{Term: e.Term, First: e.Index})
		}
	}
	return st
}

// Truncate forgets the entries after the index, which must be held or be the base's.
func (s *Sequence) Truncate(after protocol.Index) {
	s.entries = s.entries[:after-s.base.Index]
	s.forgetDamage(s.base.Index, after+1)
}

const noIndex = ^protocol.Index(0)

// forgetDamage drops damage at or before low and at or after high.
func (s *Sequence) forgetDamage(low, high protocol.Index) {
	if len(s.damaged) > 0 {
		s.damaged = slices.DeleteFunc(s.damaged, func(i protocol.Index) bool { return i <= low || i >= high })
	}
}

// Damage spoils the record of an entry that is held: its identity stays known, its
// payload is gone.
func (s *Sequence) Damage(i protocol.Index) {
	if at, found := slices.BinarySearch(s.damaged, i); !found {
		s.damaged = slices.Insert(s.damaged, at, i)
	}
}

// Damaged gives the damaged entries, ascending.
func (s *Sequence) Damaged() []protocol.EntryID {
	var ids []protocol.EntryID
	for _, i := range s.damaged {
		ids = append(ids, s.entries[i-s.base.Index-1].ID())
	}
	return ids
}

// Repair puts a damaged entry back. The error is a *storage.RepairError.
func (s *Sequence) Repair(e protocol.Entry) error {
	if err := s.repairs(e); err != nil {
		return err
	}
	s.entries = slices.Clone(s.entries)
	s.entries[e.Index-s.base.Index-1] = e
	s.damaged = slices.DeleteFunc(s.damaged, func(i protocol.Index) bool { return i == e.Index })
	return nil
}

// repairs tells why an entry cannot take the place of a damaged one, nil when it can.
func (s *Sequence) repairs(e protocol.Entry) error {
	if _, found := slices.BinarySearch(s.damaged, e.Index); !found {
		return &storage.RepairError{Entry: e.ID(), Reason: "the record at this index is not damaged"}
	}
	old := s.entries[e.Index-s.base.Index-1]
	if old.Term != e.Term || old.Kind != e.Kind || len(old.Payload) != len(e.Payload) {
		return &storage.RepairError{Entry: e.ID(), Reason: fmt.Sprintf(
			"the damaged record is of term %d, kind %v and %d bytes, not of term %d, kind %v and %d bytes",
			old.Term, old.Kind, len(old.Payload), e.Term, e.Kind, len(e.Payload))}
	}
	return nil
}
