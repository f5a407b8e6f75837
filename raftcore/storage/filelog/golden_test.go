package filelog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

var rewriteGolden = flag.Bool("rewrite-golden", false, "write the data directory of this version to testdata anew")

const (
	goldenFile = "testdata/v1.txt"
	goldenRow  = 32
)

var (
	goldenVote = protocol.HardState{Term: 3, Vote: 1}
	goldenSnap = protocol.SnapshotMeta{Last: protocol.EntryID{Term: 1, Index: 2}, Membership: crashIdentity.Membership, Size: 5}
)

// writeGolden makes a data directory that has one of everything.
func writeGolden(t *testing.T) (*vfs.Mem, storagetest.Model) {
	ts := newTestStore(t)
	ts.append(protocol.Entry{Term: 1, Index: 1, Kind: protocol.EntryNoOp}, command(1, 2, 3), command(1, 3, 4))
	members := protocol.Entry{Term: 2, Index: 3, Kind: protocol.EntryConfiguration, Payload: []byte("members")}
	filler := command(2, 4, 4000) // fills the segment
	done := make(chan error, 1)
	ts.Log.Append([]protocol.Entry{members}, func(error) { // here the log waits, so that both go into one write
		if err := ts.Log.Compact(1); err != nil {
			t.Error(err)
		}
		ts.Log.Append([]protocol.Entry{filler}, func(err error) { done <- err })
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ts.model.Append(members)
	ts.model.Compact(1)
	ts.model.Append(filler)
	ts.append(command(3, 5, 7))
	if err := ts.Votes.Save(goldenVote); err != nil {
		t.Fatal(err)
	}
	w, err := ts.Snapshots.Create(goldenSnap)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("state")); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	return ts.fs, ts.model
}

// dump gives the files as text: a name and a length, then every row that is not zero.
func dump(t *testing.T, fsys vfs.FS) string {
	var out strings.Builder
	for _, dir := range []string{"d", "d/log", "d/snap"} {
		names, err := fsys.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := vfs.ReadFile(fsys, dir+"/"+name)
			if err != nil || name == lockName {
				continue // a directory, or the lock
			}
			fmt.Fprintf(&out, "%s/%s %d\n", dir, name, len(data))
			for at := 0; at < len(data); at += goldenRow {
				row := data[at:min(at+goldenRow, len(data))]
				if !bytes.Equal(row, make([]byte, len(row))) {
					fmt.Fprintf(&out, " %d %x\n", at, row)
				}
			}
		}
	}
	return out.String()
}

// restore makes the files of a dump.
func restore(t *testing.T, text string) *vfs.Mem {
	disk := vfs.NewMem()
	var f vfs.File
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		var name, row string
		var n int64
		if strings.HasPrefix(lines.Text(), " ") {
			_, err := fmt.Sscanf(lines.Text(), " %d %s", &n, &row)
			var b []byte
			if err == nil {
				b, err = hex.DecodeString(row)
			}
			if err == nil {
				_, err = f.WriteAt(b, n)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		_, err := fmt.Sscanf(lines.Text(), "%s %d", &name, &n)
		if err == nil {
			err = disk.MkdirAll(path.Dir(name))
		}
		if err == nil {
			f, err = disk.Create(name)
		}
		if err == nil {
			err = vfs.Zero(f, 0, n)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

// What version 1 wrote must be read by every later version: never rewrite the file, add
// another one.
func TestGoldenDirectory(t *testing.T) {
	written, model := writeGolden(t)
	text := dump(t, written)
	if *rewriteGolden {
		if err := os.WriteFile(goldenFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(golden), text); d != "" {
		t.Errorf("this version writes other bytes than version 1 (-golden +now):\n%s", d)
	}
	checkGoldenDirectory(t, string(golden), model)
}

// TestFirstGoldenDirectory: what was written before memberships had names, client addresses
// and the highest ID.
func TestFirstGoldenDirectory(t *testing.T) {
	_, model := writeGolden(t)
	golden, err := os.ReadFile("testdata/v1-first.txt")
	if err != nil {
		t.Fatal(err)
	}
	checkGoldenDirectory(t, string(golden), model)
}

func checkGoldenDirectory(t *testing.T, golden string, model storagetest.Model) {
	t.Helper()
	s, err := Open(restore(t, golden), "d", Options{SegmentSize: minSegmentSize, ClusterID: "c", MemberID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if d := storagetest.CompareLog(s.Log, model); d != "" {
		t.Error(d)
	}
	if v, err := s.Votes.Load(); v != goldenVote || err != nil {
		t.Errorf("votes give %+v, %v", v, err)
	}
	r, meta, err := s.Snapshots.Open(goldenSnap.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if d := cmp.Diff(goldenSnap, meta); d != "" || string(data) != "state" || err != nil {
		t.Errorf("snapshot holds %q, %v; meta (-want +got):\n%s", data, err, d)
	}
}
