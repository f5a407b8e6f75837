package filelog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// What follows harms a closed directory.

// record gives the last record of a kind and index, as kindName tells the kind.
func (ts *testStore) record(kind string, index protocol.Index) (found Record) {
	ts.t.Helper()
	_, err := Inspect(ts.fs, "d", func(r Record) error {
		if r.Kind == kind && r.Entry.Index == index {
			found = r
		}
		return nil
	})
	if err != nil || found.File == "" {
		ts.t.Fatalf("there is no record %s of index %d: %v", kind, index, err)
	}
	return found
}

func (ts *testStore) command(index protocol.Index) Record { return ts.record("Command", index) }

// loseHeader damages the header of a record, losePayload its payload or the checksum of it.
func (ts *testStore) loseHeader(r Record)  { flip(ts.t, ts.fs, r.File, r.Offset+9) }
func (ts *testStore) losePayload(r Record) { flip(ts.t, ts.fs, r.File, r.Offset+r.Size-3) }

// put writes bytes into a file.
func (ts *testStore) put(file string, at int64, p []byte) {
	ts.t.Helper()
	b, err := vfs.ReadFile(ts.fs, file)
	if err != nil {
		ts.t.Fatal(err)
	}
	if n := at + int64(len(p)); n > int64(len(b)) {
		b = append(b, make([]byte, n-int64(len(b)))...)
	}
	copy(b[at:], p)
	replace(ts.t, ts.fs, file, b)
}

// zero clears a file from an offset on.
func (ts *testStore) zero(file string, from int64) {
	ts.t.Helper()
	b, err := vfs.ReadFile(ts.fs, file)
	if err != nil {
		ts.t.Fatal(err)
	}
	clear(b[from:])
	replace(ts.t, ts.fs, file, b)
}

// forge writes a frame that holds where it is, as the first of a write, and gives where it ends.
func (ts *testStore) forge(file string, at int64, e protocol.Entry) int64 {
	ts.t.Helper()
	b, err := vfs.ReadFile(ts.fs, file)
	if err != nil {
		ts.t.Fatal(err)
	}
	frame := placeOf(binary.LittleEndian.Uint64(b[24:]), at).AppendFrame(nil, flagStart, e)
	ts.put(file, at, frame)
	return at + int64(len(frame))
}

// goOn forges records behind the last one.
func (ts *testStore) goOn(es ...protocol.Entry) {
	ts.t.Helper()
	var last Record
	if _, err := Inspect(ts.fs, "d", func(r Record) error { last = r; return nil }); err != nil {
		ts.t.Fatal(err)
	}
	at := last.Offset + last.Size
	for _, e := range es {
		at = ts.forge(last.File, at, e)
	}
}

// rehead forges the head of a segment, counted from 0. before is the head of the one before it.
func (ts *testStore) rehead(n int, change func(h *head, before head)) {
	ts.t.Helper()
	var heads []Record
	_, err := Inspect(ts.fs, "d", func(r Record) error {
		if r.Kind == "head" {
			heads = append(heads, r)
		}
		return nil
	})
	if err != nil || len(heads) <= n {
		ts.t.Fatalf("the heads are %v, %v", heads, err)
	}
	before, err1 := parseHead(heads[n-1].Entry)
	h, err2 := parseHead(heads[n].Entry)
	if err := errors.Join(err1, err2); err != nil {
		ts.t.Fatal(err)
	}
	change(&h, before)
	ts.forge(heads[n].File, heads[n].Offset, h.record())
}

// slot writes a record into meta.
func (ts *testStore) slot(offset int64, version uint8, e protocol.Entry) {
	ts.t.Helper()
	ts.put("d/meta", offset, codec.Place(offset).AppendFrame(nil, version, e))
}

// segment gives the name of a segment, counted from 0.
func (ts *testStore) segment(n int) string {
	ts.t.Helper()
	seqs, err := listSegments(ts.fs, "d/log")
	if err != nil || n >= len(seqs) {
		ts.t.Fatalf("the segments are %v, %v", seqs, err)
	}
	return "d/log/" + segmentName(seqs[n])
}

// header forges the header of a segment.
func (ts *testStore) header(n int, change func(h []byte)) {
	ts.t.Helper()
	b, err := vfs.ReadFile(ts.fs, ts.segment(n))
	if err != nil {
		ts.t.Fatal(err)
	}
	change(b)
	binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
	replace(ts.t, ts.fs, ts.segment(n), b)
}

// What follows opens the directory and judges.

// opens wants the log as it was written, and nothing damaged.
func (ts *testStore) opens() {
	ts.t.Helper()
	ts.reopen(ts.fs)
	ts.expect()
	if d := ts.Log.Damaged(); len(d) > 0 {
		ts.t.Errorf("damaged are %v", d)
	}
}

// repairs wants damage that is named, and the log as it was written after its repair.
func (ts *testStore) repairs() {
	ts.t.Helper()
	ts.reopen(ts.fs)
	if len(ts.Log.Damaged()) == 0 {
		ts.t.Fatal("nothing is damaged")
	}
	repairAll(ts.t, ts.Log, ts.model)
	ts.expect()
	if err := ts.Store.Close(); err != nil {
		ts.t.Fatal(err)
	}
	ts.fs = ts.fs.Crash(vfs.PowerLoss{})
	ts.opens()
}

// refuses wants damage of the log that recovery does not get over, and an untouched log.
func (ts *testStore) refuses() {
	ts.t.Helper()
	before := ts.logFiles()
	_, err := Open(ts.fs, "d", ts.opts)
	d, ok := errors.AsType[*storage.DamageError](err)
	if !ok || !strings.HasPrefix(d.File, "d/log") {
		ts.t.Fatalf("open gave %v, want damage of the log", err)
	}
	ts.t.Log(err)
	if d := cmp.Diff(before, ts.logFiles()); d != "" {
		ts.t.Errorf("a log that cannot be opened was changed (-before +after):\n%.2000s", d)
	}
}

// isNewer wants to be told of a newer version, not of damage.
func (ts *testStore) isNewer() {
	ts.t.Helper()
	if _, err := Open(ts.fs, "d", ts.opts); !errors.Is(err, ErrNewerFormat) || isDamage(err) {
		ts.t.Errorf("open gave %v, want ErrNewerFormat", err)
	}
}

// fails wants an error.
func fails(want error) func(*testStore) {
	return func(ts *testStore) {
		if _, err := Open(ts.fs, "d", ts.opts); !errors.Is(err, want) {
			ts.t.Errorf("open gave %v, want %v", err, want)
		}
	}
}

func (ts *testStore) logFiles() map[string]string {
	ts.t.Helper()
	names, err := ts.fs.List("d/log")
	if err != nil {
		ts.t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		b, err := vfs.ReadFile(ts.fs, "d/log/"+name)
		if err != nil {
			ts.t.Fatal(err)
		}
		files[name] = string(b)
	}
	return files
}
