package filelog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// realDir is a directory with a life behind it, and all that was ever written to it.
type realDir struct {
	disk    *vfs.Mem
	entries map[protocol.EntryID]protocol.Entry
	votes   map[protocol.HardState]bool
	snaps   map[protocol.EntryID][]byte
}

func dirOptions(first uint64) Options {
	return Options{SegmentSize: minSegmentSize, foreground: true, salt: func() uint64 { first++; return first }}
}

// newRealDir writes a log of several files with cuts and a base, votes and snapshots.
func newRealDir(t testing.TB) *realDir {
	t.Helper()
	d := &realDir{
		disk: vfs.NewMem(), entries: map[protocol.EntryID]protocol.Entry{},
		votes: map[protocol.HardState]bool{{}: true}, snaps: map[protocol.EntryID][]byte{},
	}
	opts := dirOptions(1000)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Format(d.disk, "d", crashIdentity, opts))
	s, err := Open(d.disk, "d", opts)
	must(err)
	write := func(es ...protocol.Entry) {
		for _, e := range es {
			d.entries[e.ID()] = e
		}
		done := make(chan error, 1)
		s.Log.Append(es, func(err error) { done <- err })
		must(<-done)
	}
	for i := range protocol.Index(24) {
		write(command(1, i+1, 400))
	}
	for term := protocol.Term(2); term <= 4; term++ {
		hard := protocol.HardState{Term: term, Vote: 2}
		d.votes[hard] = true
		must(s.Votes.Save(hard))
		write(command(term, 17+protocol.Index(term), 100), command(term, 18+protocol.Index(term), 3000), command(term, 19+protocol.Index(term), 1))
		d.snapshot(t, s, protocol.EntryID{Term: 1, Index: protocol.Index(term)})
	}
	must(s.Log.Compact(5))
	must(s.Close())
	return d
}

func (d *realDir) snapshot(t testing.TB, s *Store, last protocol.EntryID) {
	t.Helper()
	data := bytes.Repeat([]byte{byte(last.Index)}, 3000)
	w, err := s.Snapshots.Create(protocol.SnapshotMeta{Last: last, Membership: crashIdentity.Membership})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Commit()); err != nil {
		t.Fatal(err)
	}
	d.snaps[last] = data
}

// files gives the names of all files of a directory but its lock.
func files(disk *vfs.Mem) []string {
	names := []string{"d/" + metaName}
	for _, dir := range []string{"d/" + logDir, "d/" + snapDir} {
		list, _ := disk.List(dir)
		for _, name := range list {
			names = append(names, dir+"/"+name)
		}
	}
	return names
}

// harm does to the disk what a byte string says, five bytes for each deed.
func harm(t *testing.T, disk *vfs.Mem, deeds []byte) {
	for ; len(deeds) >= 5; deeds = deeds[5:] {
		all := files(disk)
		name, other := all[int(deeds[0])%len(all)], all[int(deeds[4])%len(all)]
		b, err := vfs.ReadFile(disk, name)
		if err != nil || len(b) == 0 {
			continue
		}
		at := (int(deeds[2])<<8 | int(deeds[3])) % len(b)
		sector := b[at&^511 : min(at&^511+512, len(b))]
		switch deeds[1] % 8 {
		case 0, 1: // rot
			b[at] ^= max(1, deeds[4])
		case 2: // a sector that was never written
			clear(sector)
		case 3: // a sector that was written to the wrong place
			from, _ := vfs.ReadFile(disk, other)
			copy(sector, from[min(len(from), at&^511):])
		case 4: // the end is lost
			b = b[:at]
		case 5: // a lost file
			b = nil
		case 6: // a lost end of what was written, zeros in its place
			clear(b[at:])
		case 7: // one file in the place of another
			b, _ = vfs.ReadFile(disk, other)
		}
		replace(t, disk, name, b)
	}
}

// replace gives a file new contents; nil removes it.
func replace(t *testing.T, disk *vfs.Mem, name string, b []byte) {
	t.Helper()
	if b == nil {
		if err := disk.Remove(name); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := disk.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// memoryBound is far above what the recovery of the directory takes, some 100 KiB of files.
const memoryBound = 32 << 20

// FuzzDamagedDirectory harms a directory in any way: recovery does not panic, does not
// believe lengths, and gives nothing that was not written; what it took for the log once,
// it takes again.
func FuzzDamagedDirectory(f *testing.F) {
	real := newRealDir(f)
	for op := range byte(8) {
		for file := range byte(len(files(real.disk))) {
			f.Add([]byte{file, op, 0x10, 0x30, 3})
			f.Add([]byte{file, 0, 0x11 + 2*op, 0x80, 4}) // rot in the midst of records
		}
	}
	f.Add([]byte{0, 0, 0, 9, 1, 3, 4, 15, 0, 0, 1, 5, 0, 0, 0})
	f.Fuzz(func(t *testing.T, deeds []byte) {
		disk := real.disk.Crash(vfs.PowerLoss{})
		harm(t, disk, deeds[:min(len(deeds), 50)])
		disk = disk.Crash(vfs.PowerLoss{Keep: 100})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := Open(disk, "d", dirOptions(5000))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > memoryBound {
			t.Errorf("the recovery of a small directory took %d bytes", took)
		}
		if err != nil {
			return // refused: nothing is said about it
		}
		first := real.judge(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(disk.Crash(vfs.PowerLoss{}), "d", dirOptions(6000))
		if err != nil {
			t.Fatalf("the second recovery: %v", err)
		}
		defer s.Close()
		if d := cmp.Diff(first, real.judge(t, s)); d != "" {
			t.Errorf("the second recovery found something else (-first +second):\n%s", d)
		}
	})
}

// judge wants that all that the store gives was written once, and describes it.
func (d *realDir) judge(t *testing.T, s *Store) (found []string) {
	t.Helper()
	state := s.Log.State()
	found = append(found, fmt.Sprintf("%+v", state))
	for i := state.Base.Index + 1; i <= state.Last; i++ {
		es, err := s.Log.Read(i, i, 1<<30)
		switch _, damaged := errors.AsType[*storage.DamageError](err); {
		case damaged:
			found = append(found, fmt.Sprintf("%d is damaged", i))
		case err != nil || len(es) != 1 || !storagetest.EqualEntries(es, []protocol.Entry{d.entries[es[0].ID()]}):
			t.Fatalf("entry %d is read as %d entries, %v; none such was written", i, len(es), err)
		default:
			found = append(found, fmt.Sprint(es[0].ID()))
		}
	}
	hard, err := s.Votes.Load()
	if err == nil && !d.votes[hard] {
		t.Fatalf("the vote is %+v, which was never saved", hard)
	}
	return append(found, fmt.Sprint(hard, err), d.judgeSnapshot(t, s))
}

func (d *realDir) judgeSnapshot(t *testing.T, s *Store) string {
	t.Helper()
	meta, ok, err := s.Snapshots.Latest()
	if err != nil || !ok {
		return fmt.Sprint("no snapshot: ", err)
	}
	r, _, err := s.Snapshots.Open(meta.Last)
	if err != nil {
		return fmt.Sprintf("snapshot %v: %v", meta.Last, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if want, known := d.snaps[meta.Last]; err == nil && (!known || !bytes.Equal(b, want)) {
		t.Fatalf("snapshot %v has %d bytes that were never written", meta.Last, len(b))
	}
	return fmt.Sprintf("snapshot %v: %v", meta.Last, err)
}
