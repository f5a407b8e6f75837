package filelog_test

import (
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

var identity = filelog.Identity{
	ClusterID: "c0ffee", Name: "demo-2", MemberID: 2, Incarnation: 77,
	Membership: protocol.Membership{Members: []protocol.Member{
		{ID: 1, Address: "demo-1:2380", Suffrage: protocol.Voter},
		{ID: 2, Address: "demo-2:2380", Suffrage: protocol.Voter},
	}},
}

// disk is a data directory on some file system, which can be made to fail.
type disk struct {
	fs   *vfs.Faulty
	dir  string
	opts filelog.Options
}

func (d disk) fail() {
	d.fs.Set(vfs.Rule{Op: vfs.OpWrite, Pattern: "*", Err: syscall.EIO}, vfs.Rule{Op: vfs.OpSync, Pattern: "*", Err: syscall.EIO})
}

func (d disk) format(t *testing.T) {
	t.Helper()
	if err := filelog.Format(d.fs, d.dir, identity, d.opts); err != nil {
		t.Fatal(err)
	}
}

func (d disk) open(t *testing.T) *filelog.Store {
	t.Helper()
	s, err := filelog.Open(d.fs, d.dir, d.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start formats the disk and opens it. What it gives beside the store closes it and opens
// the disk, which is in order again, anew.
func (d disk) start(t *testing.T) (s *filelog.Store, reopen func(t *testing.T) *filelog.Store) {
	d.format(t)
	s = d.open(t)
	return s, func(t *testing.T) *filelog.Store {
		s.Close()
		d.fs.Set()
		s = d.open(t)
		return s
	}
}

// onDisks runs a test on the real file system and in memory, with segments so small
// that every test crosses many of them, and with the usual ones.
func onDisks(t *testing.T, test func(t *testing.T, newDisk func(t *testing.T) disk)) {
	sizes := map[string]int64{"small segments": 8 << 10, "usual segments": 1 << 20}
	for name, size := range sizes {
		opts := filelog.Options{SegmentSize: size}
		t.Run("OS, "+name, func(t *testing.T) {
			test(t, func(t *testing.T) disk { return disk{vfs.NewFaulty(vfs.OS{}), t.TempDir() + "/data", opts} })
		})
		t.Run("Mem, "+name, func(t *testing.T) {
			test(t, func(t *testing.T) disk { return disk{vfs.NewFaulty(vfs.NewMem()), "data", opts} })
		})
	}
}

func TestLogConforms(t *testing.T) {
	onDisks(t, func(t *testing.T, newDisk func(t *testing.T) disk) {
		storagetest.TestLog(t, func(t *testing.T) storagetest.LogUnderTest {
			d := newDisk(t)
			s, reopen := d.start(t)
			return storagetest.LogUnderTest{
				Log: s.Log, Fail: d.fail,
				Reopen: func(t *testing.T) storage.Log { return reopen(t).Log },
				Damage: d.damage,
			}
		})
	})
}

// damage flips a bit in the payload of an entry's record.
func (d disk) damage(t *testing.T, i protocol.Index) {
	t.Helper()
	var record filelog.Record // the newest one of this index
	_, err := filelog.Inspect(d.fs, d.dir, func(r filelog.Record) error {
		if r.Entry.Index == i && r.Kind == protocol.EntryCommand.String() {
			record = r
		}
		return nil
	})
	if err != nil || record.File == "" {
		t.Fatalf("the record of entry %d was not found: %v", i, err)
	}
	f, err := d.fs.OpenReadWrite(record.File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, at := make([]byte, 1), record.Offset+record.Size-6
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestVotesConform(t *testing.T) {
	onDisks(t, func(t *testing.T, newDisk func(t *testing.T) disk) {
		storagetest.TestVotes(t, func(t *testing.T) storagetest.VotesUnderTest {
			d := newDisk(t)
			s, reopen := d.start(t)
			return storagetest.VotesUnderTest{
				Votes: s.Votes, Fail: d.fail,
				Reopen: func(t *testing.T) storage.Votes { return reopen(t).Votes },
			}
		})
	})
}

func TestSnapshotsConform(t *testing.T) {
	onDisks(t, func(t *testing.T, newDisk func(t *testing.T) disk) {
		storagetest.TestSnapshots(t, func(t *testing.T) storagetest.SnapshotsUnderTest {
			s, reopen := newDisk(t).start(t)
			return storagetest.SnapshotsUnderTest{
				Snapshots: s.Snapshots,
				Reopen:    func(t *testing.T) storage.Snapshots { return reopen(t).Snapshots },
			}
		})
	})
}
