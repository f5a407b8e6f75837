package storagetest

import (
	"bytes"
	"fmt"
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
		if d := cmp.Diff(m.State(), state, cmpopts.EquateEmpty()); d != "" {
			return "state (-want +got):\n" + d
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
