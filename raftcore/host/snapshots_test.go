package host_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
)

// A snapshot made for a transfer names the entry that the state machine has, also while the
// log is already empty for a snapshot that is to be installed.
func TestSnapshotWhileTheLogIsEmptied(t *testing.T) {
	bubble(t, 1, nil, func(g *group) {
		m := g.leader()
		g.propose(m, "x")
		want := m.Status().Last
		done := make(chan error, 1)
		m.log.Reset(protocol.EntryID{Index: 100, Term: want.Term + 8}, nil, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, err := m.FreshSnapshot(); got != want || err != nil {
			t.Errorf("the snapshot is of %+v, %v; want %+v", got, err, want)
		}
	})
}

// storeSnapshot puts a snapshot into a member's storage, as if it had arrived.
func storeSnapshot(t *testing.T, m *member, membership protocol.Membership, last protocol.EntryID, state ...string) {
	t.Helper()
	w, err := m.snapshots.Create(protocol.SnapshotMeta{Last: last, Membership: membership})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := frozen(state).WriteTo(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// A member may end with a snapshot on disk that ends in a later term than it has saved: a
// leader that was deposed meanwhile has frozen and sent it. It starts, in that term. When
// it has saved no term at all, its vote is lost, and it does not start.
func TestSnapshotOfALaterTerm(t *testing.T) {
	for _, c := range []struct {
		saved  protocol.HardState
		starts bool
	}{
		{protocol.HardState{Term: 3, Vote: 2}, true},
		{protocol.HardState{}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := &member{id: 1, log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}, reported: &reports{}}
			g := &group{t: t, board: memcomms.New(codec.Msgpack{}), members: []*member{m}}
			if err := m.votes.Save(c.saved); err != nil {
				t.Fatal(err)
			}
			storeSnapshot(t, m, g.options(m).Membership, protocol.EntryID{Index: 20, Term: 4}, "kept")
			h, err := host.Start(g.options(m))
			if !c.starts {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Kind != fault.ConfigInvalid {
					t.Errorf("saved %+v: it starts with %v", c.saved, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close() //nolint:errcheck // the test is over
			if got, _ := m.votes.Load(); got.Term < 4 || got.Term == 4 && got.Vote != 0 {
				t.Errorf("saved %+v, then %+v", c.saved, got)
			}
			if got := m.ledger.all(); !slices.Equal(got, []string{"kept"}) {
				t.Errorf("the state is %q", got)
			}
		})
	}
}
