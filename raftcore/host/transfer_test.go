package host_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// script sends a member chunks of a snapshot of 8 bytes in the names of two leaders, and sees
// what it answers.
type script struct {
	*group
	m, older, newer *member
	meta            protocol.SnapshotMeta
	term            protocol.Term
	answer          atomic.Pointer[protocol.SnapshotResponse]
}

func scripted(t *testing.T, f func(*script)) {
	bubble(t, 3, nil, func(g *group) {
		m := g.follower()
		s := &script{
			group: g, m: m, older: g.members[m.id%3], newer: g.members[(m.id+1)%3], term: m.State().Term,
			meta: protocol.SnapshotMeta{Last: protocol.EntryID{Index: 100, Term: 1}, Size: 8},
		}
		g.board.DropIf(func(x protocol.Message) bool {
			if a, ok := x.Body.(*protocol.SnapshotResponse); ok {
				s.answer.Store(a)
			}
			return false
		})
		f(s)
	})
}

// send gives the answer to a chunk; nil when there is none.
func (s *script) send(from *member, offset int, data string, prefix []byte) *protocol.SnapshotResponse {
	term := s.term + 1
	if from == s.newer {
		term++
	}
	s.answer.Store(nil)
	from.comms.Send([]protocol.Message{{From: from.id, To: s.m.id, Term: term, Body: &protocol.SnapshotRequest{
		Meta: s.meta, Offset: int64(offset), Data: []byte(data), Prefix: prefix,
		Checksum: crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli)), Done: offset+len(data) == 8,
	}}})
	synctest.Wait()
	return s.answer.Load()
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func (s *script) mustTake(from *member, offset int, data string, prefix []byte) {
	s.t.Helper()
	if a := s.send(from, offset, data, prefix); a == nil || a.Rejected || a.Offset != int64(offset+len(data)) {
		s.t.Errorf("%q at %d is answered with %+v", data, offset, a)
	}
}

func (s *script) mustRefuse(from *member, offset int, data string, prefix []byte, wants int, has string) {
	s.t.Helper()
	a := s.send(from, offset, data, prefix)
	if a == nil || !a.Rejected || a.Offset != int64(wants) || !bytes.Equal(a.Digest, digest(has)) {
		s.t.Errorf("%q at %d is answered with %+v, want byte %d and the digest of %q", data, offset, a, wants, has)
	}
}

func (s *script) mustStore(want string) {
	s.t.Helper()
	f, _, err := s.m.snapshots.Open(s.meta.Last)
	if err != nil {
		s.t.Error(err)
		return
	}
	if got, err := io.ReadAll(f); string(got) != want || err != nil {
		s.t.Errorf("%q was stored, %v; want %q", got, err, want)
	}
}

// Chunks of two leaders' snapshots of the same entry come mixed. The newer leader's is
// stored, whole, and no byte of the other one is in it.
func TestChunksOfTwoLeaders(t *testing.T) {
	scripted(t, func(s *script) {
		s.mustTake(s.older, 0, "oldd", nil)
		s.mustRefuse(s.newer, 0, "neww", nil, 4, "oldd")
		s.mustTake(s.newer, 0, "neww", digest(""))
		if a := s.send(s.older, 4, "olde", nil); a != nil {
			t.Errorf("the deposed leader is answered with %+v", a)
		}
		s.send(s.older, 0, "oldd", nil)
		s.mustTake(s.newer, 4, "newe", nil)
		s.mustStore("newwnewe")
	})
}

// A new leader whose snapshot has the same bytes goes on where the old one stopped; one
// that says nothing of what is before does not.
func TestTransferGoesOnUnderAnotherLeader(t *testing.T) {
	scripted(t, func(s *script) {
		s.mustTake(s.older, 0, "same", nil)
		s.mustRefuse(s.newer, 0, "same", nil, 4, "same")
		s.mustTake(s.newer, 4, "rest", digest("same"))
		s.mustStore("samerest")
	})
	scripted(t, func(s *script) {
		s.mustTake(s.older, 0, "oldd", nil)
		s.mustRefuse(s.newer, 4, "newe", digest("neww"), 0, "")
		s.mustTake(s.newer, 0, "neww", nil)
		s.mustTake(s.newer, 4, "newe", nil)
		s.mustStore("newwnewe")
	})
	scripted(t, func(s *script) {
		s.mustTake(s.older, 0, "oldd", nil)
		s.mustRefuse(s.newer, 4, "newe", nil, 0, "")
	})
}

// A bit that was turned over on the way is noticed: the chunk is wanted again.
func TestDamagedChunk(t *testing.T) {
	scripted(t, func(s *script) {
		s.mustTake(s.newer, 0, "good", nil)
		s.newer.comms.Send([]protocol.Message{{From: s.newer.id, To: s.m.id, Term: s.term + 2, Body: &protocol.SnapshotRequest{
			Meta: s.meta, Offset: 4, Data: []byte("rEst"), Done: true,
			Checksum: crc32.Checksum([]byte("rest"), crc32.MakeTable(crc32.Castagnoli)),
		}}})
		synctest.Wait()
		if a := s.answer.Load(); a == nil || !a.Rejected || a.Offset != 4 {
			t.Errorf("a damaged chunk is answered with %+v", a)
		}
		if _, _, err := s.m.snapshots.Open(s.meta.Last); err == nil {
			t.Error("it was stored")
		}
		s.mustTake(s.newer, 4, "rest", nil)
		s.mustStore("goodrest")
	})
}

// A leader that does not lead any more ends its transfers, and its successor's arrive.
func TestTransferEndsWithTheLeadership(t *testing.T) {
	few := func(o *host.Options) { o.SnapshotEntries, o.KeepEntries = 20, 5 }
	bubble(t, 3, few, func(g *group) {
		old, lag := g.leader(), g.follower()
		g.board.Isolate(lag.id)
		for i := range 50 {
			g.propose(old, fmt.Sprint(i, strings.Repeat("x", 1000)))
		}
		g.board.Heal()
		var sent atomic.Int32
		g.board.DropIf(func(x protocol.Message) bool {
			if x.Body.Kind() != protocol.KindSnapshotRequest || x.From != old.id {
				return false
			}
			sent.Add(1)
			return true
		})
		g.until("a transfer has begun", func() bool { return sent.Load() > 0 })
		if err := old.Transfer(g.t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the present chunk's
		before := sent.Load()
		time.Sleep(5 * time.Second)
		if n := sent.Load(); n != before {
			t.Errorf("%d chunks were sent by a member that does not lead", n-before)
		}
		g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == 50 })
	})
}

// heldSnapshots holds writers back at their first Create, and readers at Open.
type heldSnapshots struct {
	*memlog.Snapshots
	created     atomic.Int32
	write, read chan struct{}
	opened      atomic.Bool
}

func (s *heldSnapshots) Create(meta protocol.SnapshotMeta) (storage.SnapshotWriter, error) {
	if s.created.Add(1) == 1 {
		<-s.write
	}
	return s.Snapshots.Create(meta)
}

func (s *heldSnapshots) Open(last protocol.EntryID) (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	s.opened.Store(true)
	<-s.read
	return s.Snapshots.Open(last)
}

// A member's own snapshot is long in the making. When it is done, one that has arrived
// waits to be restored and a newer one is there already: neither is removed.
func TestSnapshotToInstallIsKept(t *testing.T) {
	held := map[protocol.MemberID]*heldSnapshots{}
	change := func(o *host.Options) {
		held[o.ID] = &heldSnapshots{Snapshots: o.Snapshots.(*memlog.Snapshots), write: make(chan struct{}), read: make(chan struct{})}
		o.Snapshots = held[o.ID]
		o.SnapshotEntries, o.KeepEntries = 20, 5
	}
	bubble(t, 3, change, func(g *group) {
		l, lag := g.leader(), g.follower()
		for _, m := range g.members {
			if m != lag {
				close(held[m.id].write)
				close(held[m.id].read)
			}
		}
		own := held[lag.id]
		for i := range 25 { // it keeps up, so its first snapshot is its own and not one that arrives
			g.propose(l, fmt.Sprint(i))
			g.until("it has applied that", func() bool { return len(lag.ledger.all()) == i+1 })
		}
		g.until("its own snapshot is begun", func() bool { return own.created.Load() == 1 })
		g.board.Isolate(lag.id)
		total := 25
		g.until("what the laggard lacks is compacted away", func() bool {
			g.propose(l, fmt.Sprint("more", total)) // a snapshot comes with more entries
			total++
			return l.log.State().Base.Index > 40
		})
		g.board.Heal()
		g.until("one is to be restored", own.opened.Load)
		meta, _, _ := lag.snapshots.Latest()
		storeSnapshot(t, lag, meta.Membership, protocol.EntryID{Index: meta.Last.Index + 1, Term: meta.Last.Term})
		close(own.write)
		synctest.Wait()
		close(own.read)
		g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == total || lag.Fault() != nil })
		if f := lag.Fault(); f != nil {
			t.Errorf("it is fenced: %v", f)
		}
	})
}
