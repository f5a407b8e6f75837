package host_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// A damaged snapshot is no loss while the log reaches back: it is removed and told of, and
// the member is well.
func TestADamagedSnapshotThatTheLogMakesUpFor(t *testing.T) {
	rottingGroup(t, false, func(r *rotting) {
		want := r.fill(12)
		ill := r.follower()
		id, err := ill.FreshSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		r.reborn(func() { r.spoilSnapshot(ill, id) })
		r.propose(r.leader(), "on")
		r.until("it has applied all", func() bool { return len(ill.ledger.all()) == len(want)+1 })
		if got := ill.ledger.all(); !slices.Equal(got[:len(want)], want) {
			t.Errorf("it has applied %q", got)
		}
		noted, over := ill.reported.ailments()
		if ill.Fault() != nil || !slices.Equal(noted, []fault.Kind{fault.SnapshotCorrupt}) || !slices.Equal(over, noted) {
			t.Errorf("fault %v, noted %v, over %v", ill.Fault(), noted, over)
		}
		if _, ok, err := r.stores[ill.id].Snapshots.Latest(); ok || err != nil {
			t.Errorf("the damaged snapshot is still there, or %v", err)
		}
	})
}

// A damaged snapshot that the log does not reach back to is a fault, and stays as it is: nothing
// else here has that state.
func TestADamagedSnapshotThatTheLogDoesNotMakeUpFor(t *testing.T) {
	few := func(o *host.Options) { o.SnapshotEntries, o.KeepEntries = 10, 1 }
	tunedGroup(t, false, few, func(r *rotting) {
		r.fill(30)
		ill := r.follower()
		r.until("its log is compacted", func() bool { return r.stores[ill.id].Log.State().Base.Index > 0 })
		if err := ill.Close(); err != nil {
			t.Fatal(err)
		}
		want, ok, err := r.stores[ill.id].Snapshots.Latest()
		if !ok || err != nil {
			t.Fatalf("there is no snapshot: %v", err)
		}
		r.spoilSnapshot(ill, want.Last)
		_, err = host.Start(r.options(ill))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != fault.SnapshotCorrupt {
			t.Errorf("Start gives %v, want a fault %s", err, fault.SnapshotCorrupt)
		}
		if got, ok, err := r.stores[ill.id].Snapshots.Latest(); !ok || err != nil || got.Last != want.Last {
			t.Errorf("the newest snapshot is %v, %v, %v, want %v", got.Last, ok, err, want.Last)
		}
	})
}

// spoilSnapshot flips a bit in the data of a stored snapshot.
func (r *rotting) spoilSnapshot(m *member, id protocol.EntryID) {
	r.t.Helper()
	disk := r.disks[m.id]
	names, err := disk.List(rotDir + "/snap")
	if err != nil || len(names) != 1 {
		r.t.Fatalf("snapshots %v, %v; want the one of %v", names, err, id)
	}
	name := rotDir + "/snap/" + names[0]
	b, err := vfs.ReadFile(disk, name)
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := disk.OpenReadWrite(name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	at := len(b) / 2
	if _, err := f.WriteAt([]byte{b[at] ^ 1}, int64(at)); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		r.t.Fatal(err)
	}
}

// A snapshot chunk that leaves the node was read through the checksums: a damaged one is
// never sent.
func TestADamagedSnapshotIsNeverSent(t *testing.T) {
	rottingGroup(t, false, func(r *rotting) {
		r.fill(12)
		l := r.leader()
		id, err := l.FreshSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		r.spoilSnapshot(l, id)
		f, _, err := r.stores[l.id].Snapshots.Open(id)
		if err != nil {
			return // refused as a whole
		}
		defer f.Close()
		var damage *storage.DamageError
		if _, err := io.Copy(io.Discard, f); !errors.As(err, &damage) {
			t.Errorf("a damaged snapshot was read to its end: %v", err)
		}
	})
}
