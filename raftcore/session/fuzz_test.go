package session_test

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/session"
)

// FuzzTable makes a log of arbitrary bytes: the table tells clients what the obvious twin
// tells, keeps its invariants, and is the same after it was stored and restored.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 9, 0, 4, 1, 1, 4, 1, 1, 4, 1, 2, 6, 3, 50, 4, 1, 2})
	f.Add([]byte{0, 20, 1, 3, 0, 20, 1, 3, 0, 20, 1, 3, 1, 2, 3, 2, 1, 7, 3, 250, 4, 2, 1, 6, 7, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := draws(data[:min(len(data), 600)])
		table, slow := session.New(), &twin{gone: map[uint64]bool{}}
		kept, executed := newStored(table), 0
		clock := protocol.EntryID{Term: 1, Index: 0}
		readings := map[protocol.Term]uint64{}
		for len(b) > 0 {
			clock.Index++
			x := b.item(&clock, readings)
			got, want := apply(table, x, executed), slow.apply(x, executed)
			if got != want {
				t.Fatalf("entry %d: the client is told %q instead of %q", clock.Index, got, want)
			}
			if strings.HasPrefix(got, "executed") {
				executed++
			}
			if err := table.CheckInvariants(); err != nil {
				t.Fatal(err)
			}
			if b.below(8) == 7 {
				kept.update(table)
				if table = kept.reopen(t.Errorf); table == nil {
					return
				}
			}
		}
	})
}

// draws are bytes that decide; zeros when there are no more.
type draws []byte

func (b *draws) below(n int) int {
	if len(*b) == 0 {
		return 0
	}
	x := int((*b)[0]) % n
	*b = (*b)[1:]
	return x
}

// item makes an entry. A leader's readings of its clock never go back in its term.
func (b *draws) item(at *protocol.EntryID, readings map[protocol.Term]uint64) item {
	client := func() uint64 { return uint64(1 + b.below(int(at.Index))) }
	var c *protocol.SessionChange
	switch b.below(6) {
	case 0:
		c = &protocol.SessionChange{
			Op: protocol.SessionOpen, Timeout: uint64(1 + b.below(255)), MaxSessions: uint64(b.below(5)), MaxAnswer: uint64(b.below(40)),
		}
	case 1:
		c = &protocol.SessionChange{Op: protocol.SessionKeep, Clients: []uint64{client(), client()}}
	case 2:
		c = &protocol.SessionChange{Op: protocol.SessionExpire, Clients: []uint64{client()}}
	case 3:
		at.Term += protocol.Term(b.below(2))
		readings[at.Term] += uint64(b.below(256))
		c = &protocol.SessionChange{Op: protocol.SessionClock, Clock: readings[at.Term]}
	default:
		return item{id: *at, client: client(), serial: uint64(b.below(6))}
	}
	return item{id: *at, change: c}
}
