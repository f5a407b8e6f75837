package session

import (
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Image is a table at one moment. Answers are shared with the table, which never changes
// their bytes.
type Image struct {
	Head     protocol.SessionsHead
	Sessions []protocol.Session // the least recently used one first
}

// Freeze gives the present table.
func (t *Table) Freeze() Image {
	im := Image{Head: t.head, Sessions: make([]protocol.Session, 0, t.Len())}
	for el := t.order.Front(); el != nil; el = el.Next() {
		im.Sessions = append(im.Sessions, el.Value.(*entry).Session)
	}
	return im
}

// Restore replaces the table's content. The sessions may come in any order. After an
// error the table is as before.
func (t *Table) Restore(im Image) error {
	fresh := New()
	fresh.head, fresh.Mutation = im.Head, t.Mutation
	for _, s := range slices.SortedFunc(slices.Values(im.Sessions), byUse) {
		if fresh.sessions[s.Client] != nil {
			return fmt.Errorf("a stored session table has client %d twice", s.Client)
		}
		fresh.sessions[s.Client] = fresh.order.PushBack(&entry{Session: s})
	}
	if err := fresh.CheckInvariants(); err != nil {
		return fmt.Errorf("a stored session table is damaged: %w", err)
	}
	if t.changes != nil {
		fresh.Track()
	}
	*t = *fresh
	return nil
}

// changes are the clients whose sessions were changed or removed.
type changes struct {
	clients map[uint64]bool
	applied protocol.Index // when Changes was called last
}

// Track lets Changes tell what happens from now on.
func (t *Table) Track() {
	t.changes = &changes{clients: make(map[uint64]bool), applied: t.head.Applied}
}

func (t *Table) note(client uint64) {
	if t.changes != nil {
		t.changes.clients[client] = true
	}
}

// Changed reports whether the table was changed since the last call of Changes.
func (t *Table) Changed() bool {
	return t.changes != nil && t.changes.applied != t.head.Applied
}

// Changes gives the sessions that were changed and the clients whose sessions were
// removed since the last call, each ascending by client: with Head, they bring a stored
// table up to date.
func (t *Table) Changes() (changed []protocol.Session, removed []uint64) {
	for _, client := range slices.Sorted(maps.Keys(t.changes.clients)) {
		if e := t.find(client); e != nil {
			changed = append(changed, e.Session)
		} else {
			removed = append(removed, client)
		}
	}
	clear(t.changes.clients)
	t.changes.applied = t.head.Applied
	return changed, removed
}
