package filelog

import (
	"slices"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// One damaged place held the entries 3 to 5. A new entry 5 cuts the old one off, and 3 and 4 are
// repaired, in one batch. The repair leaves nothing of the old entry 5, so the new one is durable
// before it: at every loss of power the log opens, as it was with all three damaged, or with the
// new entry.
func TestARepairWaitsForWhatIsQueuedBeforeIt(t *testing.T) {
	ts := spoilt(t, commands(10), 3, 4, 5)
	ts.reopen(ts.fs)
	was := ts.model.Clone()
	was.Append(command(1, 11, 100))
	is := was.Clone()
	is.Append(command(2, 5, 100))
	crashed := crashesOf(ts, was.Entries[10], func(done func(error)) {
		ts.Log.Append(is.Entries[4:], done)
		ts.Log.Repair(is.Entries[2], done)
		ts.Log.Repair(is.Entries[3], done)
	}, 3)
	ended := map[protocol.Index]int{}
	for i, disk := range crashed {
		s, err := Open(disk, "d", ts.opts)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		last, damaged, model := s.Log.State().Last, indexes(s.Log.Damaged()), was
		if ended[last]++; last == 5 {
			model = is
		} else if !slices.Equal(damaged, []protocol.Index{3, 4, 5}) {
			t.Errorf("crash %d: the log ends at %d, damaged are %v", i, last, damaged)
		}
		repairAll(t, s.Log, model)
		if d := storagetest.CompareLog(s.Log, model); d != "" {
			t.Errorf("crash %d: %s", i, d)
		}
		s.Close()
	}
	if ended[5] == 0 || ended[11] == 0 {
		t.Errorf("the log ended at these entries after so many crashes: %v", ended)
	}
}

// crashesOf gives the disks that are left when the power fails, or the process is killed, at any
// operation of one batch and of the close behind it. The batch is the calls that queue makes, each
// of the n with a done, while the writer is still busy with the entry before.
func crashesOf(ts *testStore, before protocol.Entry, queue func(done func(error)), n int) (crashed []*vfs.Mem) {
	ts.t.Helper()
	done := make(chan error, n)
	ts.Log.Append([]protocol.Entry{before}, func(error) {
		ts.fs.Observe(func(vfs.Op, string) {
			for seed := range uint64(20) {
				crashed = append(crashed, ts.fs.Crash(vfs.PowerLoss{Keep: 50, Seed: seed}))
			}
			crashed = append(crashed, ts.fs.Kill(), ts.fs.Crash(vfs.PowerLoss{}))
		})
		queue(func(err error) { done <- err })
	})
	for range n {
		if err := <-done; err != nil {
			ts.t.Fatal(err)
		}
	}
	if err := ts.Store.Close(); err != nil {
		ts.t.Fatal(err)
	}
	ts.fs.Observe(nil)
	return append(crashed, ts.fs.Crash(vfs.PowerLoss{}))
}
