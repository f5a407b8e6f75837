package filelog

import (
	"errors"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// faultyStore is a store on a disk that can be told to fail.
type faultyStore struct {
	*Store
	t    *testing.T
	mem  *vfs.Mem
	disk *vfs.Faulty
	opts Options
}

func newFaultyStore(t *testing.T) *faultyStore {
	t.Helper()
	mem := vfs.NewMem()
	fs := &faultyStore{t: t, mem: mem, disk: vfs.NewFaulty(mem), opts: Options{SegmentSize: minSegmentSize, foreground: true}}
	if err := Format(fs.disk, "d", crashIdentity, fs.opts); err != nil {
		t.Fatal(err)
	}
	s, err := Open(fs.disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	fs.Store = s
	t.Cleanup(func() { s.Close() })
	return fs
}

func (fs *faultyStore) rules(text string) {
	fs.t.Helper()
	rules, err := vfs.ParseRules(text)
	if err != nil {
		fs.t.Fatal(err)
	}
	fs.disk.Set(rules...)
}

func (fs *faultyStore) append(es ...protocol.Entry) error {
	done := make(chan error, 1)
	fs.Log.Append(es, func(err error) { done <- err })
	return <-done
}

// A sync that failed once proves nothing when it succeeds the next time: the log must
// refuse for good, and recovery must not take what only a cache has for durable.
func TestOneFailedSyncEndsTheLog(t *testing.T) {
	for _, rule := range []string{"sync *.seg times=1 EIO", "write *.seg times=1 EIO", "write *.seg times=1 short=600 ENOSPC"} {
		fs := newFaultyStore(t)
		want := storagetest.Model{}
		for i := range protocol.Index(5) {
			if err := fs.append(command(1, i+1, 100)); err != nil {
				t.Fatal(err)
			}
			want.Append(command(1, i+1, 100))
		}
		fs.rules(rule)
		first := fs.append(command(1, 6, 700))
		if first == nil {
			t.Fatalf("%s: an entry was reported durable", rule)
		}
		for i := range protocol.Index(3) {
			if err := fs.append(command(1, 7+i, 100)); !errors.Is(err, first) {
				t.Fatalf("%s: a later append gave %v, want %v", rule, err, first)
			}
		}
		if err := fs.Log.Stats().Err; !errors.Is(err, first) {
			t.Errorf("%s: stats tell %v, want %v", rule, err, first)
		}
		if err := fs.Store.Close(); !errors.Is(err, first) {
			t.Errorf("%s: close gave %v, want %v", rule, err, first)
		}
		after := fs.mem.Crash(vfs.PowerLoss{})
		s, err := Open(after, "d", fs.opts)
		if err != nil {
			t.Fatal(err)
		}
		if d := storagetest.CompareLog(s.Log, want); d != "" {
			t.Errorf("%s: after a loss of power: %s", rule, d)
		}
		s.Close()
	}
}

// Space that comes back before the present file is full is found without a restart.
func TestSpaceComesBack(t *testing.T) {
	fs := newFaultyStore(t)
	index := protocol.Index(0)
	next := func() error { index++; return fs.append(command(1, index, 1000)) }
	fs.mem.SetCapacity(1)
	for fs.Log.Stats().PrepareErr == nil {
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	fs.mem.SetCapacity(0)
	for i := 0; i < 20 || i < 23 && !fs.Log.Stats().Ready; i++ { // not every append needs a new file
		if err := next(); err != nil {
			t.Fatal(err)
		}
	}
	if st := fs.Log.Stats(); st.PrepareErr != nil || !st.Ready {
		t.Errorf("with space again: %+v", st)
	}
}

func TestFilesAreRecycled(t *testing.T) {
	fs := newFaultyStore(t)
	creates := 0
	fs.mem.Observe(func(op vfs.Op, name string) {
		if op == vfs.OpCreate {
			creates++
		}
	})
	for i := range protocol.Index(300) {
		if err := fs.append(command(1, i+1, 500)); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 {
			if err := fs.Log.Compact(i - 4); err != nil {
				t.Fatal(err)
			}
		}
	}
	st := fs.Log.Stats()
	if creates > 4 || st.Segments > 3 {
		t.Errorf("%d files were made for 300 entries, %d hold the log", creates, st.Segments)
	}
	es, err := fs.Log.Read(296, 300, math.MaxInt)
	if err != nil || len(es) != 5 {
		t.Errorf("read gave %d entries, %v", len(es), err)
	}
}

func TestFailedVoteSticks(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.Votes.Save(protocol.HardState{Term: 1, Vote: 1}); err != nil {
		t.Fatal(err)
	}
	fs.rules("sync meta times=1 EIO")
	if err := fs.Votes.Save(protocol.HardState{Term: 2, Vote: 2}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("save gave %v", err)
	}
	if err := fs.Votes.Save(protocol.HardState{Term: 3, Vote: 3}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a later save gave %v, want the error that sticks", err)
	}
}

func TestSnapshotThatFailsIsNotThere(t *testing.T) {
	for _, rule := range []string{"write *.unfinished after=1 ENOSPC", "sync *.unfinished EIO", "rename *.unfinished EIO", "create *.unfinished ENOSPC"} {
		fs := newFaultyStore(t)
		fs.rules(rule)
		w, err := fs.Snapshots.Create(protocol.SnapshotMeta{Last: protocol.EntryID{Term: 1, Index: 1}})
		if err == nil {
			_, err = w.Write(make([]byte, 3*chunkSize))
		}
		if err == nil {
			err = w.Commit()
		} else if w != nil {
			w.Abort()
		}
		if err == nil {
			t.Errorf("%s: the snapshot went well", rule)
		}
		fs.rules("")
		if _, ok, err := fs.Snapshots.Latest(); ok || err != nil {
			t.Errorf("%s: latest gives %v, %v", rule, ok, err)
		}
		if names, _ := fs.mem.List("d/snap"); len(names) != 0 {
			t.Errorf("%s: it leaves %v", rule, names)
		}
	}
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	fs := newFaultyStore(t)
	if _, err := Open(fs.disk, "d", fs.opts); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("a second open gave %v, want ErrLocked", err)
	}
	fs.Store.Close()
	if err := Format(fs.disk, "d", crashIdentity, fs.opts); !errors.Is(err, ErrFormatted) {
		t.Errorf("a second format gave %v, want ErrFormatted", err)
	}
	if _, err := Open(fs.disk, "d", Options{Serializer: codec.Identity{}}); err == nil || !strings.Contains(err.Error(), "makes no bytes") {
		t.Errorf("open with a serializer for memory gave %v", err)
	}
	if _, err := Open(fs.disk, "elsewhere", fs.opts); !errors.Is(err, ErrNotFormatted) {
		t.Errorf("open of nothing gave %v, want ErrNotFormatted", err)
	}
	for _, o := range []Options{{ClusterID: "other"}, {MemberID: 99}, {ClusterID: "other", MemberID: 1}} {
		o.SegmentSize = minSegmentSize
		_, err := Open(fs.disk, "d", o)
		var wrong *IdentityError
		if !errors.As(err, &wrong) || wrong.Found.ClusterID != "c" || !strings.Contains(err.Error(), "member 1 (n) of cluster \"c\"") {
			t.Errorf("open with %q and %d gave %v, want an IdentityError", o.ClusterID, o.MemberID, err)
		}
	}
	ok := Options{ClusterID: "c", MemberID: 1, SegmentSize: minSegmentSize}
	s, err := Open(fs.disk, "d", ok)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestFormatNeverDestroysALog(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.append(command(1, 1, 10)); err != nil {
		t.Fatal(err)
	}
	fs.Store.Close()
	if err := fs.mem.Remove("d/meta"); err != nil {
		t.Fatal(err)
	}
	if err := Format(fs.disk, "d", crashIdentity, fs.opts); !errors.Is(err, ErrFormatted) {
		t.Errorf("format over a log without meta gave %v, want ErrFormatted", err)
	}
}

// The power fails before each operation of Format. Either nothing is formatted, and
// Format can be called again, or all is.
func TestFormatSurvivesCrashes(t *testing.T) {
	mem := vfs.NewMem()
	opts := Options{SegmentSize: minSegmentSize, foreground: true}
	var crashed []*vfs.Mem
	mem.Observe(func(vfs.Op, string) {
		for _, d := range dials(uint64(len(crashed))) {
			crashed = append(crashed, mem.Crash(d))
		}
	})
	if err := Format(mem, "d", crashIdentity, opts); err != nil {
		t.Fatal(err)
	}
	for i, disk := range crashed {
		if _, err := ReadIdentity(disk, "d"); errors.Is(err, ErrNotFormatted) {
			if err := Format(disk, "d", crashIdentity, opts); err != nil {
				t.Fatalf("crash %d: format again: %v", i, err)
			}
		}
		s, err := Open(disk, "d", opts)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		s.Close()
	}
}

func TestNewerFormatIsTold(t *testing.T) {
	fs := newFaultyStore(t)
	fs.Store.Close()
	f, err := fs.mem.OpenReadWrite("d/meta")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := crashIdentity.encode()
	if err != nil {
		t.Fatal(err)
	}
	e := protocol.Entry{Kind: kindIdentity, Payload: payload}
	for _, at := range []int64{identityA, identityB} {
		if _, err := f.WriteAt(codec.Place(at).AppendFrame(nil, metaVersion+1, e), at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(fs.disk, "d", fs.opts); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("open gave %v, want ErrNewerFormat", err)
	}
}

func TestAppendOutOfOrderPanics(t *testing.T) {
	fs := newFaultyStore(t)
	for _, es := range [][]protocol.Entry{
		nil,
		{command(1, 2, 1)},
		{command(1, 0, 1)},
		{command(1, 1, 1), command(1, 3, 1)},
		{{Term: 1, Index: 1, Kind: codec.FrameOwnKinds}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("append of %+v did not panic", es)
				}
			}()
			fs.Log.Append(es, func(error) {})
		}()
	}
	if err := fs.append(command(1, 1, 1)); err != nil {
		t.Errorf("an append after them gave %v", err)
	}
}
