package replica_test

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// disk is a HardState and a log.
type disk struct {
	hard          protocol.HardState
	base          protocol.EntryID
	configuration []byte // as of the base
	entries       []protocol.Entry
}

func (d *disk) clone() disk {
	c := *d
	c.entries = slices.Clone(d.entries)
	return c
}

func (d *disk) insert(p *replica.Persist) {
	if p.Hard != nil {
		d.hard = *p.Hard
	}
	if len(p.Entries) > 0 {
		at := int(p.Entries[0].Index - d.base.Index - 1)
		d.entries = append(slices.Clone(d.entries[:at]), p.Entries...)
	}
}

func (d *disk) reset(meta protocol.SnapshotMeta) {
	payload, err := memberships.EncodeMembership(meta.Membership)
	if err != nil {
		panic(err)
	}
	d.base, d.entries, d.configuration = meta.Last, nil, payload
}

// configurationAt gives the payload of the last Configuration entry up to an index.
func (d *disk) configurationAt(i protocol.Index) []byte {
	payload := d.configuration
	for _, e := range d.entries {
		if e.Kind == protocol.EntryConfiguration && e.Index <= i {
			payload = e.Payload
		}
	}
	return payload
}

func (d *disk) read(from, to protocol.Index, maxBytes int) []protocol.Entry {
	if from <= d.base.Index {
		return nil
	}
	a, b := from-d.base.Index-1, min(to-d.base.Index, protocol.Index(len(d.entries)))
	if a >= b {
		return nil
	}
	n, size := 0, 0
	for _, e := range d.entries[a:b] {
		if size += e.Size(); size > maxBytes && n > 0 {
			break
		}
		n++
	}
	return d.entries[a : int(a)+n]
}

func (d *disk) state() protocol.LogState {
	s := protocol.LogState{Base: d.base, Last: d.base.Index + protocol.Index(len(d.entries)), Configuration: d.configuration}
	for _, e := range d.entries {
		if e.Kind == protocol.EntryConfiguration {
			s.Configurations = append(s.Configurations, e)
		}
		if n := len(s.Terms); n == 0 || s.Terms[n-1].Term != e.Term {
			s.Terms = append(s.Terms, protocol.TermStart{Term: e.Term, First: e.Index})
		}
	}
	return s
}
