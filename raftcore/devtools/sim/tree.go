package sim

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// tree holds every entry that any member ever wrote to its log. Log Matching says
// that it is a tree: an entry's identity (term and index) determines its content and
// its predecessor, so that each log is a path from the root and two logs that share
// an entry share the path to it. Checking each write against the tree therefore
// checks the property for all pairs of logs, of the present and of the past.
type tree map[protocol.EntryID]node

type node struct {
	parent protocol.Term // of the entry before
	digest uint64
	born   Time // when a leader wrote it first
}

// add takes an entry that is written now after the one of the term prev.
func (t tree) add(prev protocol.Term, e protocol.Entry, now Time) error {
	n := node{parent: prev, digest: digest(e), born: now}
	old, known := t[e.ID()]
	if known && (old.parent != n.parent || old.digest != n.digest) {
		return fmt.Errorf("entry %v has the digest %x and follows term %d, but elsewhere %x and term %d", e.ID(), n.digest, n.parent, old.digest, old.parent)
	}
	if !known {
		t[e.ID()] = n
	}
	return nil
}

// reaches reports whether a log that ends in the entry last has the entry id.
func (t tree) reaches(last, id protocol.EntryID) bool {
	for last.Index > id.Index {
		last = protocol.EntryID{Term: t[last].parent, Index: last.Index - 1}
	}
	return last == id
}
