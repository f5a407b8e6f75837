package filelog

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// testStore is a store on a crashable disk, and a model of its log.
type testStore struct {
	*Store
	t     *testing.T
	fs    *vfs.Mem
	opts  Options
	model storagetest.Model
}

func newTestStore(t *testing.T) *testStore {
	t.Helper()
	salt := uint64(1000)
	ts := &testStore{t: t, fs: vfs.NewMem(), opts: Options{
		SegmentSize: minSegmentSize, foreground: true,
		salt: func() uint64 { salt++; return salt },
	}}
	if err := Format(ts.fs, "d", crashIdentity, ts.opts); err != nil {
		t.Fatal(err)
	}
	ts.reopen(ts.fs)
	return ts
}

func (ts *testStore) reopen(disk *vfs.Mem) {
	ts.t.Helper()
	s, err := Open(disk, "d", ts.opts)
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.fs, ts.Store = disk, s
	ts.t.Cleanup(func() { s.Close() })
}

func (ts *testStore) append(es ...protocol.Entry) {
	ts.t.Helper()
	done := make(chan error, 1)
	ts.Log.Append(es, func(err error) { done <- err })
	if err := <-done; err != nil {
		ts.t.Fatal(err)
	}
	ts.model.Append(es...)
}

func (ts *testStore) expect() {
	ts.t.Helper()
	if d := storagetest.CompareLog(ts.Log, ts.model); d != "" {
		ts.t.Fatal(d)
	}
}

func command(term protocol.Term, index protocol.Index, size int) protocol.Entry {
	return protocol.Entry{Term: term, Index: index, Kind: protocol.EntryCommand, Payload: bytes.Repeat([]byte{byte(index)}, size)}
}

// history writes a log of several files, with cuts and a base.
func (ts *testStore) history() {
	ts.t.Helper()
	for i := range protocol.Index(24) {
		ts.append(command(1, i+1, 400))
	}
	ts.append(command(2, 20, 100), command(2, 21, 100))
	if err := ts.Log.Compact(5); err != nil {
		ts.t.Fatal(err)
	}
	ts.model.Compact(5)
	for i := range protocol.Index(20) {
		ts.append(command(3, 22+i, 300))
	}
}

// flip changes one bit of a file for good.
func flip(t *testing.T, disk vfs.FS, name string, at int64) {
	t.Helper()
	f, err := disk.OpenReadWrite(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (at % 8)
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// After an orderly close every bit that matters is guarded: a flipped one is damage
// with a name, or changes nothing.
func TestDamageIsNamedAndNeverCut(t *testing.T) {
	ts := newTestStore(t)
	ts.history()
	if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	seqs, err := listSegments(ts.fs, "d/log")
	if err != nil || len(seqs) < 3 {
		t.Fatalf("%d segments, %v: too few for this test", len(seqs), err)
	}
	named, harmless := 0, 0
	for _, seq := range seqs {
		name := "d/log/" + segmentName(seq)
		for at := int64(0); at < minSegmentSize; at += 5 {
			if at == 40 {
				at = dataStart - 1 // nothing is between header and data
			}
			disk := ts.fs.Crash(vfs.PowerLoss{Keep: 100})
			flip(t, disk, name, at)
			s, err := Open(disk, "d", ts.opts)
			var d *storage.DamageError
			switch {
			case errors.As(err, &d):
				named++
				if !strings.HasPrefix(d.File, "d/log") {
					t.Fatalf("%s at %d: the damage is said to be in %s", name, at, d.File)
				}
			case err != nil:
				t.Fatalf("%s at %d: %v", name, at, err)
			default:
				harmless++
				if diff := storagetest.CompareLog(s.Log, ts.model); diff != "" {
					t.Fatalf("%s at %d: the flipped bit was not noticed: %s", name, at, diff)
				}
				s.Close()
			}
		}
	}
	if named < 1000 || harmless == 0 {
		t.Errorf("%d flipped bits were named and %d harmless: the test does not test", named, harmless)
	}
}

func TestDamagedPayloadIsNamedByItsHeader(t *testing.T) {
	ts := newTestStore(t)
	ts.history()
	s := find(ts.Log.mu.chain, 30)
	name, offset := s.name, int64(s.offsets[30-s.first])
	flip(t, ts.fs, name, offset+50)

	_, err := ts.Log.Read(30, 30, 1)
	want := &storage.DamageError{File: name, Offset: offset, Index: 30, Term: 3}
	expectDamage(t, "read", err, want)
	if es, err := ts.Log.Read(29, 29, 1); err != nil || len(es) != 1 {
		t.Errorf("its neighbour cannot be read: %v", err)
	}
	ts.Store.Close()
	_, err = Open(ts.fs, "d", ts.opts)
	expectDamage(t, "open", err, want)

	sum, err := Inspect(ts.fs, "d", nil)
	if err != nil || len(sum.Damage) != 1 {
		t.Fatalf("inspect gives %v, %v", sum.Damage, err)
	}
	expectDamage(t, "inspect", sum.Damage[0], want)
	expectDamage(t, "inspect", sum.LogErr, want)
}

func expectDamage(t *testing.T, what string, err error, want *storage.DamageError) {
	t.Helper()
	var got *storage.DamageError
	if !errors.As(err, &got) {
		t.Fatalf("%s gave %v, want damage", what, err)
	}
	got = &storage.DamageError{File: got.File, Offset: got.Offset, Index: got.Index, Term: got.Term}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s names the damage wrongly (-want +got):\n%s", what, d)
	}
}

func TestMissingSegmentIsDamage(t *testing.T) {
	ts := newTestStore(t)
	ts.history()
	ts.Store.Close()
	seqs, err := listSegments(ts.fs, "d/log")
	if err != nil {
		t.Fatal(err)
	}
	// Without the last one, which is only prepared, nothing is missing; that the
	// one before it is gone cannot be seen from the log alone.
	for _, seq := range seqs[:len(seqs)-2] {
		disk := ts.fs.Crash(vfs.PowerLoss{Keep: 100})
		if err := disk.Remove("d/log/" + segmentName(seq)); err != nil {
			t.Fatal(err)
		}
		var d *storage.DamageError
		if _, err := Open(disk, "d", ts.opts); !errors.As(err, &d) {
			t.Errorf("without segment %d of %v: %v, want damage", seq, seqs, err)
		}
	}
}

// A write of two entries is torn so that the first is lost and the second whole. After
// recovery another entry is written that ends exactly where the second begins.
func TestRestOfTornWriteNeverComesBack(t *testing.T) {
	ts := newTestStore(t)
	ts.append(command(1, 1, 10))
	active := ts.Log.mu.chain[0]
	start := active.end
	ts.append(command(1, 2, 1000), command(1, 3, 1000))
	torn := ts.fs.Crash(vfs.PowerLoss{})
	flip(t, torn, active.name, start+500) // as if this sector had not reached the disk

	ts.reopen(torn)
	ts.model = storagetest.Model{Entries: ts.model.Entries[:1]}
	ts.expect()
	gap := 1000 - 32 // what is left of the first frame beside the mark and a frame's own bytes
	ts.append(command(2, 2, gap))
	if end := ts.Log.mu.chain[0].end; end != start+1032 {
		t.Fatalf("the new entry ends at %d, the lost one at %d: the test does not test", end, start+1032)
	}
	ts.reopen(ts.fs.Crash(vfs.PowerLoss{}))
	ts.expect()
}

// A payload may hold a copy of the log's own bytes, as when somebody stores a backup.
// A torn write of it must not be mistaken for damage.
func TestFrameInPayloadIsNoProof(t *testing.T) {
	ts := newTestStore(t)
	ts.append(command(1, 1, 10))
	active := ts.Log.mu.chain[0]
	data, err := vfs.ReadFile(ts.fs, active.name)
	if err != nil {
		t.Fatal(err)
	}
	start := active.end
	copied := protocol.Entry{Term: 1, Index: 2, Kind: protocol.EntryCommand, Payload: bytes.Clone(data[dataStart:start])}
	ts.append(copied)
	torn := ts.fs.Crash(vfs.PowerLoss{})
	flip(t, torn, active.name, start+1) // its header is lost

	ts.reopen(torn)
	ts.model = storagetest.Model{Entries: ts.model.Entries[:1]}
	ts.expect()
}

func TestOneDamagedCopyOfMetaIsMended(t *testing.T) {
	for _, at := range []int64{identityA + 30, identityB + 30, voteA + 10, voteB + 30} {
		ts := newTestStore(t)
		want := protocol.HardState{Term: 9, Vote: 3}
		for _, v := range []protocol.HardState{{Term: 8, Vote: 1}, want} {
			if err := ts.Votes.Save(v); err != nil {
				t.Fatal(err)
			}
		}
		ts.Store.Close()
		flip(t, ts.fs, "d/meta", at)
		warnings := 0
		ts.opts.Warn = func(error) { warnings++ }
		ts.reopen(ts.fs)
		if got, err := ts.Votes.Load(); got != want || err != nil {
			t.Errorf("bit at %d: votes give %+v, %v", at, got, err)
		}
		if d := cmp.Diff(crashIdentity, ts.Identity); d != "" || warnings != 1 {
			t.Errorf("bit at %d: %d warnings, identity (-want +got):\n%s", at, warnings, d)
		}
		ts.Store.Close()
		ts.reopen(ts.fs)
		if warnings != 1 {
			t.Errorf("bit at %d was not mended", at)
		}
	}
}

func TestBothCopiesOfMetaDamaged(t *testing.T) {
	ts := newTestStore(t)
	ts.Store.Close()
	flip(t, ts.fs, "d/meta", voteA+30)
	flip(t, ts.fs, "d/meta", voteB+30)
	ts.reopen(ts.fs)
	if _, err := ts.Votes.Load(); !errors.Is(err, storage.ErrVotesDamaged) {
		t.Errorf("load gave %v, want ErrVotesDamaged", err)
	}
	if err := ts.Votes.Save(protocol.HardState{Term: 1}); !errors.Is(err, storage.ErrVotesDamaged) {
		t.Errorf("save gave %v, want ErrVotesDamaged", err)
	}
	ts.Store.Close()
	flip(t, ts.fs, "d/meta", identityA+30)
	flip(t, ts.fs, "d/meta", identityB+30)
	if _, err := Open(ts.fs, "d", ts.opts); !errors.Is(err, ErrMetaDamaged) {
		t.Errorf("open gave %v, want ErrMetaDamaged", err)
	}
	sum, err := Inspect(ts.fs, "d", nil)
	if err != nil || !errors.Is(sum.MetaErr, ErrMetaDamaged) || !errors.Is(sum.VotesErr, storage.ErrVotesDamaged) {
		t.Errorf("inspect gave %v, %v, %v", sum.MetaErr, sum.VotesErr, err)
	}
}

func TestEveryBitOfASnapshotIsGuarded(t *testing.T) {
	ts := newTestStore(t)
	meta := protocol.SnapshotMeta{Last: protocol.EntryID{Term: 2, Index: 9}, Membership: crashIdentity.Membership}
	w, err := ts.Snapshots.Create(meta)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, chunkSize+100)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	name := "d/snap/" + snapshotName(meta.Last)
	whole, err := vfs.ReadFile(ts.fs, name)
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < int64(len(whole)); at++ {
		if at == 200 {
			at = chunkSize // nothing new between
		}
		flip(t, ts.fs, name, at)
		r, _, err := ts.Snapshots.Open(meta.Last)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if !isDamage(err) {
			t.Fatalf("a flipped bit at %d of %d gave %v, want damage", at, len(whole), err)
		}
		flip(t, ts.fs, name, at)
	}
	f, err := ts.fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(whole[:len(whole)-10], 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ts.Snapshots.Latest(); !isDamage(err) {
		t.Errorf("a snapshot that is cut off gave %v, want damage", err)
	}
}
