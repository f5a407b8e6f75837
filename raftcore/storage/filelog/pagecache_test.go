package filelog

import (
	"errors"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// After a kill the newest write is only in the page cache. Once recovery has given it
// to the replica it must be durable.
func TestRecoveryMakesDurableWhatItFound(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.append(command(1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	fs.rules("sync *.seg EIO")
	if err := fs.append(command(1, 2, 1500)); err == nil {
		t.Fatal("an entry was reported durable")
	}
	fs.Store.Close()
	fs.rules("")
	s, err := Open(fs.disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	found := s.Log.State().Last
	if found != 2 {
		t.Fatalf("the log ends at %d: the test does not test", found)
	}
	after, err := Open(fs.mem.Crash(vfs.PowerLoss{}), "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if got := after.Log.State().Last; got != found {
		t.Errorf("recovery gave entries up to %d, of which after a loss of power %d were left", found, got)
	}
	s.Close()
}

// A process is killed while its newest write is only in the page cache; then the power
// fails during recovery. The write was never acknowledged: it may be there or not, as a
// whole or in part, but it is no damage.
func TestPowerFailsWhileRecoveringFromAKill(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.append(command(1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	fs.rules("sync *.seg EIO")
	if err := fs.append(command(1, 2, 900), command(1, 3, 900)); err == nil {
		t.Fatal("entries were reported durable")
	}
	fs.Store.Close()
	fs.rules("")
	var crashed []*vfs.Mem
	fs.mem.Observe(func(vfs.Op, string) {
		for seed := range uint64(40) {
			crashed = append(crashed, fs.mem.Crash(vfs.PowerLoss{Keep: 50, Seed: seed}))
		}
	})
	s, err := Open(fs.disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	fs.mem.Observe(nil)
	defer s.Close()
	ends := map[protocol.Index]int{}
	for i, disk := range crashed {
		again, err := Open(disk, "d", fs.opts)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		ends[again.Log.State().Last]++
		again.Close()
	}
	if ends[1] == 0 || ends[3] == 0 || ends[0] != 0 {
		t.Errorf("where the log ended, and how often: %v", ends)
	}
}

// A process is killed after a rename and before the directory is synced. Whoever opens
// the directory relies on the name, so it must not be lost any more.
func TestNamesThatWereSeenAreDurable(t *testing.T) {
	fs := newFaultyStore(t)
	fs.rules("syncdir snap EIO")
	w, err := fs.Snapshots.Create(protocol.SnapshotMeta{Last: protocol.EntryID{Term: 1, Index: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("commit gave %v", err)
	}
	fs.Store.Close()
	expectSeen := func(disk vfs.FS) {
		t.Helper()
		s, err := Open(disk, "d", fs.opts)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, ok, err := s.Snapshots.Latest(); !ok || err != nil {
			t.Fatalf("latest gives %v, %v", ok, err)
		}
	}
	fs.rules("")
	expectSeen(fs.mem)
	expectSeen(fs.mem.Crash(vfs.PowerLoss{}))

	disk := vfs.NewMem()
	faulty := vfs.NewFaulty(disk, vfs.Rule{Op: vfs.OpSyncDir, Pattern: "d", Err: syscall.EIO})
	if err := Format(faulty, "d", crashIdentity, fs.opts); !errors.Is(err, syscall.EIO) {
		t.Fatalf("format gave %v", err)
	}
	s, err := Open(disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = Open(disk.Crash(vfs.PowerLoss{}), "d", fs.opts); err != nil {
		t.Fatal(err)
	}
	s.Close()
}
