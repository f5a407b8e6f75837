package host_test

import (
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

// Chunks of two leaders' snapshots of the same entry come mixed. The newer leader's is
// stored, whole, and no byte of the other one is in it.
func TestChunksOfTwoLeaders(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		m := g.follower()
		older, newer := g.members[m.id%3], g.members[(m.id+1)%3]
		meta := protocol.SnapshotMeta{Last: protocol.EntryID{Index: 100, Term: 1}, Size: 8}
		send := func(from *member, term protocol.Term, offset int, data string) {
			from.comms.Send([]protocol.Message{{From: from.id, To: m.id, Term: term, Body: &protocol.SnapshotRequest{
				Meta: meta, Offset: int64(offset), Data: []byte(data),
				Checksum: crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli)), Done: offset > 0,
			}}})
			synctest.Wait()
		}
		term := m.State().Term
		send(older, term+1, 0, "oldd")
		send(newer, term+2, 0, "neww")
		send(older, term+1, 4, "olde")
		send(older, term+1, 0, "oldd")
		send(newer, term+2, 4, "newe")
		f, _, err := m.snapshots.Open(meta.Last)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); string(got) != "newwnewe" || err != nil {
			t.Errorf("%q was stored, %v; want the newer leader's", got, err)
		}
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
