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

// After an orderly close every bit that matters is guarded: a flipped one is damage that
// keeps the log from being opened, or damage of entries that are named and can be repaired,
// or changes nothing. It is never cut off.
func TestDamageIsNamedAndNeverCut(t *testing.T) {
	wantBranches(t, branchHoleNamed, branchHoleToWrite, branchHoleFilled)
	ts := newTestStore(t)
	ts.history()
	if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	seqs, err := listSegments(ts.fs, "d/log")
	if err != nil || len(seqs) < 3 {
		t.Fatalf("%d segments, %v: too few for this test", len(seqs), err)
	}
	var found outcomes
	for _, seq := range seqs {
		name := "d/log/" + segmentName(seq)
		for at := range int64(40) { // nothing is between header and data
			found.flipped(ts, name, at)
		}
		for at := dataStart - 1 + int64(seq%11); at < minSegmentSize; at += 11 { // each bit in its turn
			found.flipped(ts, name, at)
		}
	}
	t.Logf("%+v", found)
	if found.refused < 30 || found.repaired < 1000 || found.harmless == 0 {
		t.Errorf("%+v: the test does not test", found)
	}
}

// outcomes count what flipped bits have led to.
type outcomes struct{ refused, repaired, harmless int }

func (o *outcomes) flipped(ts *testStore, name string, at int64) {
	ts.t.Helper()
	disk := ts.fs.Crash(vfs.PowerLoss{Keep: 100})
	flip(ts.t, disk, name, at)
	s, err := Open(disk, "d", ts.opts)
	var d *storage.DamageError
	if errors.As(err, &d) {
		o.refused++
		if !strings.HasPrefix(d.File, "d/log") {
			ts.t.Fatalf("%s at %d: the damage is said to be in %s", name, at, d.File)
		}
		return
	}
	if err != nil {
		ts.t.Fatalf("%s at %d: %v", name, at, err)
	}
	defer s.Close()
	if len(s.Log.Damaged()) > 0 {
		o.repaired++
		repairAll(ts.t, s.Log, ts.model)
	} else {
		o.harmless++
	}
	again := s
	for range 2 {
		if diff := storagetest.CompareLog(again.Log, ts.model); diff != "" {
			ts.t.Fatalf("%s at %d: %s", name, at, diff)
		}
		if again != s {
			again.Close()
			return
		}
		if again, err = Open(disk.Crash(vfs.PowerLoss{}), "d", ts.opts); err != nil {
			ts.t.Fatalf("%s at %d, the next time: %v", name, at, err)
		}
	}
}

// repairAll repairs all damage from a model, and demands that none is left.
func repairAll(t *testing.T, l *Log, m storagetest.Model) {
	t.Helper()
	for _, id := range l.Damaged() {
		e := m.Entries[id.Index-m.Base.Index-1]
		if e.ID() != id {
			t.Fatalf("damaged is said to be %v, at its index the log had %v", id, e.ID())
		}
		if err := repairOne(l, e); err != nil {
			t.Fatal(err)
		}
	}
	if left := l.Damaged(); len(left) > 0 {
		t.Fatalf("after the repair damaged are still %v", left)
	}
}

func repairOne(l *Log, e protocol.Entry) error {
	done := make(chan error, 1)
	l.Repair(e, func(err error) { done <- err })
	return <-done
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
	expectNames := func(what string) {
		t.Helper()
		if d := cmp.Diff([]protocol.EntryID{{Term: 3, Index: 30}}, ts.Log.Damaged()); d != "" {
			t.Errorf("%s names the damage wrongly (-want +got):\n%s", what, d)
		}
	}
	expectNames("read")
	if es, err := ts.Log.Read(25, 32, 1<<20); err != nil || len(es) != 5 {
		t.Errorf("read over the damage gave %d entries, %v; want those before it", len(es), err)
	}
	ts.Store.Close()
	ts.reopen(ts.fs)
	expectNames("open")
	_, err = ts.Log.Read(30, 31, 1)
	expectDamage(t, "read after open", err, want)

	sum, err := Inspect(ts.fs, "d", nil)
	if err != nil || len(sum.Damage) != 1 {
		t.Fatalf("inspect gives %v, %v", sum.Damage, err)
	}
	expectDamage(t, "inspect", sum.Damage[0], want)
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
	wantBranches(t, branchIdentityOne, branchVoteTorn)
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
