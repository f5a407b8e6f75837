package storagetest

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Model is a log as a slice: the obvious twin of the implementations. The zero value
// is an empty log. A Model is a value: Clone it before changing a copy.
type Model struct {
	Base    protocol.EntryID
	Entries []protocol.Entry // from Base.Index+1 on, without gaps

	Configuration []byte // payload of the last Configuration entry at or before Base
}

// Clone gives a copy that shares the payloads.
func (m Model) Clone() Model {
	return Model{Base: m.Base, Entries: slices.Clone(m.Entries), Configuration: m.Configuration}
}

// Last gives the identity of the last entry, or the base when there is none.
func (m Model) Last() protocol.EntryID {
	if n := len(m.Entries); n > 0 {
		return m.Entries[n-1].ID()
	}
	return m.Base
}

// Append inserts the entries and cuts off what followed.
func (m *Model) Append(entries ...protocol.Entry) {
	keep := entries[0].Index - m.Base.Index - 1
	m.Entries = append(m.Entries[:keep:keep], entries...)
}

// Compact drops the entries up to and including upTo.
func (m *Model) Compact(upTo protocol.Index) {
	if upTo <= m.Base.Index {
		return
	}
	n := upTo - m.Base.Index
	for _, e := range m.Entries[:n] {
		if e.Kind == protocol.EntryConfiguration {
			m.Configuration = e.Payload
		}
	}
	m.Base = m.Entries[n-1].ID()
	m.Entries = slices.Clone(m.Entries[n:])
}

// Reset makes the log empty with a base and the configuration as of it.
func (m *Model) Reset(base protocol.EntryID, configuration []byte) {
	*m = Model{Base: base, Configuration: configuration}
}

// State is what the log's State must give.
func (m Model) State() protocol.LogState {
	s := protocol.LogState{Base: m.Base, Last: m.Last().Index, Configuration: m.Configuration}
	for _, e := range m.Entries {
		if e.Kind == protocol.EntryConfiguration {
			s.Configurations = append(s.Configurations, e)
		}
		if n := len(s.Terms); n == 0 || s.Terms[n-1].Term != e.Term {
			s.Terms = append(s.Terms, protocol.TermStart{Term: e.Term, First: e.Index})
		}
	}
	return s
}

// Read is what the log's Read must give for indexes that it holds.
func (m Model) Read(lo, hi protocol.Index, maxBytes int) []protocol.Entry {
	all := m.Entries[lo-m.Base.Index-1 : hi-m.Base.Index]
	for i := 1; i < len(all); i++ {
		if protocol.Size(all[:i+1]) > maxBytes {
			return all[:i]
		}
	}
	return all
}
