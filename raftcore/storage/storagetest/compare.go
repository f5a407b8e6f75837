package storagetest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// CompareLog tells in what a log differs from a model; it is empty when in nothing. A
// log that holds more before the model's base is equal, since Compact may keep some.
func CompareLog(log storage.Log, m Model) string {
	state := log.State()
	if state.Base.Index >= m.Base.Index {
		if want := m.State(); !equalStates(want, state) {
			return fmt.Sprintf("the state is %s, want %s", describe(state), describe(want))
		}
	}
	if state.Last != m.Last().Index {
		return fmt.Sprintf("the log ends at %d, want %d", state.Last, m.Last().Index)
	}
	if len(m.Entries) == 0 {
		return ""
	}
	var got []protocol.Entry
	for lo := m.Base.Index + 1; lo <= state.Last; lo = got[len(got)-1].Index + 1 {
		es, err := log.Read(lo, state.Last, math.MaxInt)
		if err != nil {
			return fmt.Sprintf("read from %d: %v", lo, err)
		}
		if len(es) == 0 {
			return fmt.Sprintf("read from %d gave nothing", lo)
		}
		got = append(got, es...)
	}
	if EqualEntries(m.Entries, got) {
		return ""
	}
	return "entries (-want +got):\n" + cmp.Diff(m.Entries, got, cmpopts.EquateEmpty())
}

// equalStates is cheap, because crash tests compare states by the thousand.
func equalStates(a, b protocol.LogState) bool {
	return a.Base == b.Base && a.Last == b.Last && slices.Equal(a.Terms, b.Terms) &&
		bytes.Equal(a.Configuration, b.Configuration) && EqualEntries(a.Configurations, b.Configurations)
}

// describe tells a state for people; of configurations it tells a hash.
func describe(s protocol.LogState) string {
	hash := crc32.ChecksumIEEE
	text := fmt.Sprintf("base %+v, last %d, terms %+v, configuration %08x", s.Base, s.Last, s.Terms, hash(s.Configuration))
	for _, e := range s.Configurations {
		text += fmt.Sprintf(", in entry %d of term %d %08x", e.Index, e.Term, hash(e.Payload))
	}
	return text
}

// EqualEntries compares entries, payloads included. No payload equals an empty one.
func EqualEntries(a, b []protocol.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y protocol.Entry) bool {
		return x.ID() == y.ID() && x.Kind == y.Kind && bytes.Equal(x.Payload, y.Payload)
	})
}

// Configuration makes a Configuration entry, with a payload of its own.
func Configuration(term protocol.Term, index protocol.Index) protocol.Entry {
	return protocol.Entry{
		Term: term, Index: index, Kind: protocol.EntryConfiguration,
		Payload: fmt.Appendf(nil, "members by entry %d of term %d", index, term),
	}
}

// Entries makes n entries from an index on, with distinct payloads.
func Entries(term protocol.Term, first protocol.Index, n int) []protocol.Entry {
	es := make([]protocol.Entry, n)
	for i := range es {
		index := first + protocol.Index(i)
		es[i] = protocol.Entry{
			Term: term, Index: index, Kind: protocol.EntryCommand,
			Payload: fmt.Appendf(nil, "entry %d of term %d", index, term),
		}
	}
	return es
}
