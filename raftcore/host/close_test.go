package host_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// Clients that are let go by Close leave nothing behind that the loop, which may be about
// to hand their commands over, still works with: the race detector tells.
func TestCloseWhileProposing(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		m := g.follower()
		g.board.Isolate(m.id)
		time.Sleep(5 * time.Second) // it has no leader: commands are held, and asked about again
		ended := make(chan struct{})
		const clients = 50
		for i := range clients {
			go func() {
				defer func() { ended <- struct{}{} }()
				for {
					if _, err := tryPropose(m, fmt.Sprint(i), time.Minute); err != nil {
						return
					}
				}
			}()
		}
		m.Close() //nolint:errcheck // it races with the clients
		for range clients {
			<-ended
		}
	})
}

// slowSnapshots makes no snapshot before it is let.
type slowSnapshots struct {
	*memlog.Snapshots
	begun atomic.Int32
	let   chan struct{}
}

func (s *slowSnapshots) Create(meta protocol.SnapshotMeta) (storage.SnapshotWriter, error) {
	s.begun.Add(1)
	<-s.let
	return s.Snapshots.Create(meta)
}

// closesLast closes a member and demands that Close does not return before what still
// goes on was let come to its end.
func closesLast(t *testing.T, m *member, let func()) {
	t.Helper()
	closed := make(chan struct{})
	go func() { m.Close(); close(closed) }() //nolint:errcheck // only when it returns matters
	synctest.Wait()
	select {
	case <-closed:
		t.Error("Close has returned while the member was still at work")
	default:
	}
	let()
	<-closed
}

// slowed gives every member's storage slow snapshots.
func slowed(slow map[protocol.MemberID]*slowSnapshots) func(*host.Options) {
	return func(o *host.Options) {
		slow[o.ID] = &slowSnapshots{Snapshots: o.Snapshots.(*memlog.Snapshots), let: make(chan struct{})}
		o.Snapshots = slow[o.ID]
		o.SnapshotEntries, o.KeepEntries = 5, 1
	}
}

// A snapshot that is begun while Close is under way, since the state machine has just
// come so far, is finished when Close returns: the next process has the files.
func TestCloseWaitsForASnapshotBegunLate(t *testing.T) {
	slow := map[protocol.MemberID]*slowSnapshots{}
	held := make(chan struct{})
	bubble(t, 1, func(o *host.Options) {
		slowed(slow)(o)
		o.SnapshotEntries = 2      // the NoOp and a command
		held = make(chan struct{}) // made in the bubble
		o.Machine.(*ledger).held = held
	}, func(g *group) {
		m := g.leader()
		go tryPropose(m, "x", time.Minute) //nolint:errcheck // Close ends it
		synctest.Wait()
		closesLast(t, m, func() {
			close(held)
			synctest.Wait()
			if n := slow[m.id].begun.Load(); n != 1 {
				t.Errorf("%d snapshots were begun, want 1", n)
			}
			close(slow[m.id].let)
		})
		if _, ok, _ := m.snapshots.Latest(); !ok {
			t.Error("the snapshot was not finished when Close returned")
		}
	})
}

// A snapshot that is arriving is not written on after Close has returned.
func TestCloseWaitsForAnArrivingSnapshot(t *testing.T) {
	slow := map[protocol.MemberID]*slowSnapshots{}
	bubble(t, 3, slowed(slow), func(g *group) {
		l, lag := g.leader(), g.follower()
		for _, m := range g.members {
			if m != lag {
				close(slow[m.id].let)
			}
		}
		g.board.Isolate(lag.id)
		for i := range 50 {
			g.propose(l, fmt.Sprint(i))
		}
		g.board.Heal()
		g.until("a snapshot arrives", func() bool { return slow[lag.id].begun.Load() > 0 })
		closesLast(t, lag, func() { close(slow[lag.id].let) })
	})
}
