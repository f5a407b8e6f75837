package filelog

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

const membersFile = "testdata/v1-members.txt"

// writeMembers makes a data directory whose base, reset and head records tell configurations
// whose entries are gone.
func writeMembers(t *testing.T) (*vfs.Mem, storagetest.Model) {
	ts := newTestStore(t)
	wait := func(queue func(done func(error))) {
		t.Helper()
		done := make(chan error, 1)
		queue(func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	base, members := protocol.EntryID{Term: 2, Index: 20}, []byte("members of a snapshot")
	ts.append(command(1, 1, 3))
	wait(func(done func(error)) { ts.Log.Reset(base, members, done) })
	ts.model.Reset(base, members)
	ts.append(command(2, 21, 3900)) // fills the segment: the next head tells what the reset did
	ts.append(storagetest.Configuration(2, 22), command(2, 23, 5), storagetest.Configuration(2, 24))
	if err := ts.Log.Compact(23); err != nil {
		t.Fatal(err)
	}
	ts.model.Compact(23)
	ts.append(command(2, 25, 3900)) // and this one what the base did
	ts.append(command(3, 26, 7))
	if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	return ts.fs, ts.model
}

// TestGoldenMembers: the records with configurations are written as they always were, and read.
func TestGoldenMembers(t *testing.T) {
	written, model := writeMembers(t)
	text := dump(t, written)
	if *rewriteGolden {
		if err := os.WriteFile(membersFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(membersFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), text); d != "" {
		t.Errorf("this version writes other bytes (-golden +now):\n%s", d)
	}
	disk := restore(t, string(golden))
	if err := disk.MkdirAll("d/snap"); err != nil { // it is empty, and a dump has files only
		t.Fatal(err)
	}
	s, err := Open(disk, "d", Options{SegmentSize: minSegmentSize, ClusterID: "c", MemberID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if d := storagetest.CompareLog(s.Log, model); d != "" {
		t.Error(d)
	}
	if got := string(s.Log.State().Configuration); got != "members by entry 22 of term 2" {
		t.Errorf("the configuration as of the base is %q", got)
	}
}
