package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/vfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f vfs.File, p []byte, off int64) {
	t.Helper()
	_, err := f.WriteAt(p, off)
	must(t, err)
}

func TestPowerLossLosesWhatWasNotSynced(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("a")
	must(t, err)
	write(t, f, []byte("durable"), 0)
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	write(t, f, []byte("DURABLE and more"), 0)

	for keep, want := range map[int]string{0: "durable", 100: "DURABLE and more"} {
		got, err := vfs.ReadFile(m.Crash(vfs.PowerLoss{Keep: keep}), "a")
		must(t, err)
		if string(got) != want {
			t.Errorf("keep %d: %q, want %q", keep, got, want)
		}
	}
	if got, _ := vfs.ReadFile(m, "a"); string(got) != "DURABLE and more" {
		t.Errorf("the run that was crashed has changed: %q", got)
	}
}

func TestPowerLossLosesNamesThatWereNotSynced(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("old")
	must(t, err)
	write(t, f, []byte("x"), 0)
	must(t, f.Sync())
	if _, err := m.Crash(vfs.PowerLoss{}).Open("old"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a file whose directory was not synced is there: %v", err)
	}
	must(t, m.SyncDir("."))
	must(t, m.Rename("old", "new"))
	if names, _ := m.Crash(vfs.PowerLoss{}).List("."); len(names) != 1 || names[0] != "old" {
		t.Fatalf("after a rename that was not synced: %v", names)
	}
	if names, _ := m.Crash(vfs.PowerLoss{Keep: 100}).List("."); len(names) != 1 || names[0] != "new" {
		t.Fatalf("after a rename that survived: %v", names)
	}
}

// Each sector must have one of the contents that it had since the last sync, and
// over many seeds each of them must occur.
func TestPowerLossTearsAtSectors(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		m := vfs.NewMem()
		f, err := m.Create("a")
		must(t, err)
		must(t, m.SyncDir("."))
		size := 3 * sector
		write(t, f, bytes.Repeat([]byte("0"), size), 0)
		must(t, f.Sync())
		write(t, f, bytes.Repeat([]byte("1"), size), 0)
		write(t, f, bytes.Repeat([]byte("2"), sector), int64(sector))

		seen := map[string]bool{}
		for seed := range uint64(200) {
			got, err := vfs.ReadFile(m.Crash(vfs.PowerLoss{Keep: 50, Seed: seed, Sector: sector}), "a")
			must(t, err)
			key := ""
			for i := range 3 {
				part := got[i*sector : (i+1)*sector]
				if !bytes.Equal(part, bytes.Repeat(part[:1], sector)) {
					t.Fatalf("seed %d: sector %d is mixed", seed, i)
				}
				key += string(part[:1])
			}
			seen[key] = true
		}
		if want := 2 * 3 * 2; len(seen) != want {
			t.Errorf("sector %d: %d outcomes, want %d: %v", sector, len(seen), want, seen)
		}
	}
}

func TestObserverSeesEveryChange(t *testing.T) {
	m := vfs.NewMem()
	var got []string
	m.Observe(func(op vfs.Op, name string) { got = append(got, fmt.Sprint(op, " ", name)) })
	f, err := m.Create("a")
	must(t, err)
	write(t, f, []byte("x"), 0)
	must(t, f.Sync())
	must(t, m.Rename("a", "b"))
	must(t, m.SyncDir("."))
	must(t, m.Remove("b"))
	want := "[create a write a sync a rename a syncdir . remove b]"
	if fmt.Sprint(got) != want {
		t.Errorf("observed %v, want %v", got, want)
	}
}

func TestMemRunsOutOfSpace(t *testing.T) {
	m := vfs.NewMem()
	m.SetCapacity(10)
	f, err := m.Create("a")
	must(t, err)
	if n, err := f.WriteAt(make([]byte, 16), 0); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d, %v; want 10 and ENOSPC", n, err)
	}
	write(t, f, []byte("within"), 0)
	if u, _ := m.Usage("."); u.Free != 0 || u.Total != 10 {
		t.Fatalf("usage is %+v", u)
	}
	must(t, m.Remove("a"))
	if u, _ := m.Usage("."); u.Free != 10 {
		t.Fatalf("after the removal usage is %+v", u)
	}
}

func TestKillLosesNothingYet(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("old")
	must(t, err)
	write(t, f, []byte("durable"), 0)
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	_, err = m.Lock("LOCK")
	must(t, err)
	write(t, f, []byte("DURABLE"), 0)
	must(t, m.Rename("old", "new"))

	killed := m.Kill()
	write(t, f, []byte("later"), 0)
	expect := func(fsys vfs.FS, name, want string) {
		t.Helper()
		got, err := vfs.ReadFile(fsys, name)
		must(t, err)
		if string(got) != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	expect(killed, "new", "DURABLE")
	expect(killed.Crash(vfs.PowerLoss{}), "old", "durable")
	expect(killed.Crash(vfs.PowerLoss{Keep: 100}), "new", "DURABLE")
	if _, err := killed.Lock("LOCK"); err != nil {
		t.Errorf("the lock outlives its process: %v", err)
	}
	f, err = killed.OpenReadWrite("new")
	must(t, err)
	must(t, f.Sync())
	must(t, killed.SyncDir("."))
	expect(killed.Crash(vfs.PowerLoss{}), "new", "DURABLE")
}
