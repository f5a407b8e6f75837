package host_test

import (
	"testing"

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
		m.log.Reset(protocol.EntryID{Index: 100, Term: want.Term + 8}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, err := m.FreshSnapshot(); got != want || err != nil {
			t.Errorf("the snapshot is of %+v, %v; want %+v", got, err, want)
		}
	})
}
