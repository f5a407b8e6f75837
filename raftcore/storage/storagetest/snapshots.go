package storagetest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// SnapshotsUnderTest is an implementation of storage.Snapshots as the suite uses it.
type SnapshotsUnderTest struct {
	// Snapshots hold none.
	Snapshots storage.Snapshots
	// Reopen gives what a new process would find. Nil when snapshots do not outlive
	// their process.
	Reopen func(t *testing.T) storage.Snapshots
}

// TestSnapshots runs the suite.
func TestSnapshots(t *testing.T, open func(t *testing.T) SnapshotsUnderTest) {
	tests := map[string]func(*testing.T, SnapshotsUnderTest){
		"there is none at first":        noSnapshot,
		"what was written is read":      snapshotReadBack,
		"nothing is seen before commit": unseenBeforeCommit,
		"abort forgets":                 abortForgets,
		"the newest is the latest":      latestIsNewest,
		"keep deletes the oldest":       keepDeletes,
		"a reader can seek":             readerSeeks,
		"reopen finds them":             snapshotsReopen,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func snapshotMeta(index protocol.Index) protocol.SnapshotMeta {
	return protocol.SnapshotMeta{
		Last: protocol.EntryID{Term: 3, Index: index},
		Membership: protocol.Membership{Members: []protocol.Member{
			{ID: 1, Address: "one:2380", Suffrage: protocol.Voter},
			{ID: 4, Address: "four:2380", Suffrage: protocol.Learner},
		}},
	}
}

// content gives n bytes that depend on the seed.
func content(seed uint64, n int) []byte {
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(src.Uint64())
	}
	return b
}

func writeSnapshot(t *testing.T, s storage.Snapshots, meta protocol.SnapshotMeta, data []byte) {
	t.Helper()
	w, err := s.Create(meta)
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; { // in pieces of many sizes
		n := min(len(rest), 1+len(rest)/3)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatalf("abort after commit: %v", err)
	}
}

func expectSnapshot(t *testing.T, s storage.Snapshots, meta protocol.SnapshotMeta, data []byte) {
	t.Helper()
	meta.Size = int64(len(data))
	r, got, err := s.Open(meta.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := cmp.Diff(meta, got); d != "" {
		t.Fatalf("meta (-want +got):\n%s", d)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, data) {
		t.Fatalf("read %d bytes that are not the %d that were written", len(b), len(data))
	}
}

func expectLatest(t *testing.T, s storage.Snapshots, want protocol.Index) {
	t.Helper()
	meta, ok, err := s.Latest()
	if err != nil {
		t.Fatal(err)
	}
	if ok != (want > 0) || meta.Last.Index != want {
		t.Fatalf("latest is %+v, %v; want index %d", meta, ok, want)
	}
}

func noSnapshot(t *testing.T, u SnapshotsUnderTest) {
	expectLatest(t, u.Snapshots, 0)
	if _, _, err := u.Snapshots.Open(protocol.EntryID{Term: 1, Index: 1}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("open of a snapshot that is not there gave %v, want fs.ErrNotExist", err)
	}
	if err := u.Snapshots.Keep(1); err != nil {
		t.Fatal(err)
	}
}

func snapshotReadBack(t *testing.T, u SnapshotsUnderTest) {
	for i, size := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 300_000} {
		index := protocol.Index(10 * (i + 1))
		data := content(uint64(i), size)
		writeSnapshot(t, u.Snapshots, snapshotMeta(index), data)
		expectSnapshot(t, u.Snapshots, snapshotMeta(index), data)
		expectLatest(t, u.Snapshots, index)
	}
}

func unseenBeforeCommit(t *testing.T, u SnapshotsUnderTest) {
	w, err := u.Snapshots.Create(snapshotMeta(5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	expectLatest(t, u.Snapshots, 0)
	if err := u.Snapshots.Keep(1); err != nil { // must not disturb the writer
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(" and half")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	expectSnapshot(t, u.Snapshots, snapshotMeta(5), []byte("half and half"))
}

func abortForgets(t *testing.T, u SnapshotsUnderTest) {
	w, err := u.Snapshots.Create(snapshotMeta(5))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	expectLatest(t, u.Snapshots, 0)
	writeSnapshot(t, u.Snapshots, snapshotMeta(5), []byte("again"))
	expectSnapshot(t, u.Snapshots, snapshotMeta(5), []byte("again"))
}

func latestIsNewest(t *testing.T, u SnapshotsUnderTest) {
	for _, i := range []protocol.Index{300, 20, 4000} {
		writeSnapshot(t, u.Snapshots, snapshotMeta(i), content(uint64(i), 100))
	}
	expectLatest(t, u.Snapshots, 4000)
	expectSnapshot(t, u.Snapshots, snapshotMeta(20), content(20, 100))
}

func keepDeletes(t *testing.T, u SnapshotsUnderTest) {
	for i := range protocol.Index(5) {
		writeSnapshot(t, u.Snapshots, snapshotMeta(i+1), content(uint64(i), 100))
	}
	if err := u.Snapshots.Keep(2); err != nil {
		t.Fatal(err)
	}
	for i := range protocol.Index(5) {
		if i+1 > 3 {
			expectSnapshot(t, u.Snapshots, snapshotMeta(i+1), content(uint64(i), 100))
			continue
		}
		if _, _, err := u.Snapshots.Open(snapshotMeta(i + 1).Last); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("snapshot %d is still there: %v", i+1, err)
		}
	}
	expectLatest(t, u.Snapshots, 5)
}

func readerSeeks(t *testing.T, u SnapshotsUnderTest) {
	data := content(1, 200_000)
	writeSnapshot(t, u.Snapshots, snapshotMeta(9), data)
	r, _, err := u.Snapshots.Open(snapshotMeta(9).Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, at := range []int64{199_999, 0, 65_536, 65_535, 131_072, 200_000, 7} {
		if got, err := r.Seek(at, io.SeekStart); err != nil || got != at {
			t.Fatalf("seek to %d gave %d, %v", at, got, err)
		}
		b, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(b, data[at:]) {
			t.Fatalf("from %d: read %d bytes, %v; want the last %d", at, len(b), err, len(data[at:]))
		}
	}
	if end, err := r.Seek(-10, io.SeekEnd); err != nil || end != 199_990 {
		t.Fatalf("seek from the end gave %d, %v", end, err)
	}
	if at, err := r.Seek(5, io.SeekCurrent); err != nil || at != 199_995 {
		t.Fatalf("seek from here gave %d, %v", at, err)
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Fatal("a seek before the beginning went well")
	}
}

func snapshotsReopen(t *testing.T, u SnapshotsUnderTest) {
	if u.Reopen == nil {
		t.Skip("these snapshots do not outlive their process")
	}
	writeSnapshot(t, u.Snapshots, snapshotMeta(7), content(7, 100_000))
	w, err := u.Snapshots.Create(snapshotMeta(8)) // left behind
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	s := u.Reopen(t)
	expectLatest(t, s, 7)
	expectSnapshot(t, s, snapshotMeta(7), content(7, 100_000))
}
