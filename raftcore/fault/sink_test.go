package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/vfs"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123, time.UTC)

// disk is a directory in memory; open opens the sink on it, as a process would.
func disk(t *testing.T) (*vfs.Mem, *vfs.Faulty) {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/data"); err != nil {
		t.Fatal(err)
	}
	return mem, vfs.NewFaulty(mem)
}

func open(t *testing.T, fs vfs.FS) *fault.Sink {
	t.Helper()
	s := fault.Open(fs, "/data/faults", fault.SinkOptions{Patience: 10 * time.Second})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func make1(k fault.Kind, message string) *fault.Fault {
	return &fault.Fault{Kind: k, Message: message, At: noon}
}

func messages(s *fault.Sink) (ms []string) {
	for _, r := range s.List() {
		ms = append(ms, r.Message)
	}
	return ms
}

func TestReportIsOnDiskWhenItReturns(t *testing.T) {
	mem, fs := disk(t)
	s := open(t, fs)
	s.Report(make1(fault.LogCorrupt, "segment 3 is damaged"))
	again := open(t, mem.Crash(vfs.PowerLoss{Keep: 0}))
	r, ok := again.Unrecoverable()
	want := fault.Record{
		Sequence: 1, Kind: fault.LogCorrupt, Message: "segment 3 is damaged", At: noon, Last: noon,
		Unrecoverable: true, Count: 1, Persisted: true,
	}
	if diff := cmp.Diff(want, r); !ok || diff != "" {
		t.Errorf("after a loss of power (-want +got):\n%s", diff)
	}
	if f := r.Fault(); f.Kind != fault.LogCorrupt || f.Error() != "LogCorrupt: segment 3 is damaged" {
		t.Errorf("as an error it is %v", f)
	}
}

func TestNoteIsKeptButIsNotUnrecoverable(t *testing.T) {
	mem, fs := disk(t)
	s := fault.Open(fs, "/data/faults", fault.SinkOptions{})
	for range 3 {
		s.Note(make1(fault.TLSInvalid, "the new certificate does not fit"))
	}
	s.Note(make1(fault.DiskFull, "3 bytes left"))
	if rs := s.List(); len(rs) != 2 || rs[0].Count != 3 || rs[1].Count != 1 {
		t.Errorf("equal faults were not counted together: %+v", rs)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, mem)
	if diff := cmp.Diff([]string{"the new certificate does not fit", "3 bytes left"}, messages(again)); diff != "" {
		t.Errorf("a new process sees (-want +got):\n%s", diff)
	}
	if r, ok := again.Unrecoverable(); ok {
		t.Errorf("it is taken for unrecoverable: %+v", r)
	}
}

func TestClearForgetsOnDiskToo(t *testing.T) {
	mem, fs := disk(t)
	s := open(t, fs)
	s.Report(make1(fault.MetaCorrupt, "both slots are bad"))
	s.Note(make1(fault.DiskFull, "full"))
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]*fault.Sink{"this process": s, "the next": open(t, mem.Crash(vfs.PowerLoss{Keep: 0}))} {
		if ms := messages(x); len(ms) > 0 {
			t.Errorf("%s still has %q", name, ms)
		}
	}
	s.Report(make1(fault.MetaCorrupt, "again"))
	if diff := cmp.Diff([]string{"again"}, messages(open(t, mem))); diff != "" {
		t.Errorf("after Clear (-want +got):\n%s", diff)
	}
}

func TestRanWellResolvesWhatARestartHelps(t *testing.T) {
	mem, fs := disk(t)
	s := open(t, fs)
	s.Report(make1(fault.LogCorrupt, "damage"))
	s.Report(make1(fault.ApplyFailed, "no memory"))
	if r, _ := s.Unrecoverable(); r.Message != "no memory" {
		t.Errorf("the latest is %q", r.Message)
	}
	s.RanWell()
	if r, _ := s.Unrecoverable(); r.Message != "damage" {
		t.Errorf("what a restart does not help against is now %q", r.Message)
	}
	s.Report(make1(fault.FsyncFailed, "later")) // waits for the writer
	again := open(t, mem)
	var resolved []string
	for _, r := range again.List() {
		if r.Resolved {
			resolved = append(resolved, r.Message)
		}
	}
	if diff := cmp.Diff([]string{"no memory"}, resolved); diff != "" {
		t.Errorf("resolved on disk (-want +got):\n%s", diff)
	}
}

func TestAFloodDoesNotWashTheUnrecoverableAway(t *testing.T) {
	mem, fs := disk(t)
	s := fault.Open(fs, "/data/faults", fault.SinkOptions{Capacity: 50})
	s.Report(make1(fault.InvariantBroken, "the cause"))
	for i := range 1000 {
		s.Note(make1(fault.DiskFull, fmt.Sprintf("note %d", i)))
		if n := len(s.List()); n > 50 {
			t.Fatalf("%d records are in memory, 50 are allowed", n)
		}
	}
	for i := range 100 {
		s.Note(make1(fault.DiskFull, fmt.Sprintf("more %d", i)))
	}
	if r, ok := s.Unrecoverable(); !ok || r.Message != "the cause" {
		t.Errorf("in memory the unrecoverable fault is %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, mem)
	if r, ok := again.Unrecoverable(); !ok || r.Message != "the cause" {
		t.Errorf("on disk the unrecoverable fault is %+v", r)
	}
	ms := messages(again)
	if len(ms) != 17 || ms[16] != "more 99" {
		t.Errorf("the file holds %d records, the last is %q; want the cause and the 16 newest notes", len(ms), ms[len(ms)-1])
	}
}

func TestManyUnrecoverable(t *testing.T) {
	mem, fs := disk(t)
	s := open(t, fs)
	for i := range 40 {
		s.Report(make1(fault.FsyncFailed, fmt.Sprintf("fault %d", i)))
	}
	for i, r := range s.List() {
		if r.Persisted != (i >= 24) {
			t.Errorf("record %d of 40 says of itself that it is on disk: %v", i, r.Persisted)
		}
	}
	ms := messages(open(t, mem))
	if len(ms) != 16 || ms[0] != "fault 24" || ms[15] != "fault 39" {
		t.Errorf("the file holds %q; want the 16 newest", ms)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	mem, fs := disk(t)
	open(t, fs).Report(make1(fault.Kind(strings.Repeat("K", 1000)), strings.Repeat("m", 1<<20)))
	r, ok := open(t, mem).Unrecoverable()
	if !ok || len(r.Message) != 2048 || len(r.Kind) != 256 {
		t.Errorf("kind of %d and message of %d bytes came back, found: %v", len(r.Kind), len(r.Message), ok)
	}
}

// TestSecondStepFails: an error of the file neither loses the fault, nor kills, nor loops.
func TestSecondStepFails(t *testing.T) {
	for _, rule := range []vfs.Rule{
		{Op: vfs.OpWrite, Pattern: "faults", Err: syscall.EIO},
		{Op: vfs.OpWrite, Pattern: "faults", Err: syscall.ENOSPC, Short: 100},
		{Op: vfs.OpSync, Pattern: "faults", Err: syscall.EIO},
		{Op: vfs.OpRead, Pattern: "faults", Err: syscall.EIO},
		{Op: "*", Pattern: "faults", Err: syscall.EIO},
	} {
		t.Run(string(rule.Op), func(t *testing.T) {
			mem, fs := disk(t)
			fs.Set(rule)
			s := open(t, fs)
			before := s.Stats().Failed
			s.Report(make1(fault.FsyncFailed, "one"))
			r, ok := s.Unrecoverable()
			if !ok || r.Message != "one" {
				t.Errorf("the fault is not in memory: %+v", r)
			}
			if rule.Op == vfs.OpRead {
				return // writing goes well: it is on disk
			}
			st := s.Stats()
			if rule.Op != "*" && st.Failed != before+1 {
				t.Errorf("%d failures were counted for one report", st.Failed-before)
			}
			if st.Failed == 0 || !errors.Is(st.LastErr, rule.Err) || r.Persisted {
				t.Errorf("after the failure: %+v, %+v", st, r)
			}
			fs.Set()
			if rule.Op == "*" {
				return // there is no file: memory it is
			}
			s.Report(make1(fault.FsyncFailed, "two"))
			if diff := cmp.Diff([]string{"one", "two"}, messages(open(t, mem.Crash(vfs.PowerLoss{Keep: 0})))); diff != "" {
				t.Errorf("when the disk is well again, on disk (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFullDiskDoesNotPreventAReport(t *testing.T) {
	mem, fs := disk(t)
	f, err := mem.Create("/data/filler")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("something"), 0); err != nil {
		t.Fatal(err)
	}
	s := open(t, fs)
	u, err := mem.Usage("/data")
	if err != nil {
		t.Fatal(err)
	}
	mem.SetCapacity(u.Total - u.Free) // not a byte more than there is
	s.Report(make1(fault.DiskFull, "no space left"))
	if r, ok := s.Unrecoverable(); !ok || !r.Persisted {
		t.Errorf("%+v, %+v", r, s.Stats())
	}
}

func TestHungDiskHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, fs := disk(t)
		s := fault.Open(fs, "/data/faults", fault.SinkOptions{Patience: time.Second})
		hang := make(chan struct{})
		fs.Set(vfs.Rule{Op: vfs.OpSync, Pattern: "faults", Before: func() { <-hang }})
		began := time.Now()
		s.Report(make1(fault.FsyncFailed, "hangs"))
		if d := time.Since(began); d != time.Second {
			t.Errorf("Report took %v", d)
		}
		s.Note(make1(fault.DiskFull, "note"))
		if d := time.Since(began); d != time.Second {
			t.Errorf("Note waited %v", d-time.Second)
		}
		if r, ok := s.Unrecoverable(); !ok || r.Persisted {
			t.Errorf("in memory: %+v", r)
		}
		if err := s.Clear(); err == nil {
			t.Error("Clear told that a hung disk was cleared")
		}
		if err := s.Close(); err == nil {
			t.Error("Close told that it closed a file whose sync hangs")
		}
		close(hang)
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedSlotsArePassedOver(t *testing.T) {
	mem, fs := disk(t)
	s := fault.Open(fs, "/data/faults", fault.SinkOptions{})
	for _, m := range []string{"one", "two", "three"} {
		s.Report(make1(fault.FsyncFailed, m))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := mem.OpenReadWrite("/data/faults")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{'x'}, 4096+60); err != nil { // in "two"
		t.Fatal(err)
	}
	again := open(t, mem)
	if diff := cmp.Diff([]string{"one", "three"}, messages(again)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := again.Stats().Damaged; n != 1 {
		t.Errorf("%d damaged slots were counted", n)
	}
	again.Report(make1(fault.FsyncFailed, "four"))
	if diff := cmp.Diff([]string{"one", "three", "four"}, messages(open(t, mem))); diff != "" {
		t.Errorf("after the next report, -want +got:\n%s", diff)
	}
}

// TestEveryPowerLoss crashes at each operation of the file: what Report returned for
// is there, and what was there before is not lost.
func TestEveryPowerLoss(t *testing.T) {
	for seed := range uint64(40) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		acknowledged := 0
		type crash struct {
			fs   *vfs.Mem
			want int
		}
		var crashes []crash
		mem.Observe(func(vfs.Op, string) {
			mu.Lock()
			defer mu.Unlock()
			c := mem.Crash(vfs.PowerLoss{Keep: 50, Seed: seed, Sector: []int{512, 4096}[seed%2]})
			crashes = append(crashes, crash{c, acknowledged})
		})
		s := fault.Open(mem, "/data/faults", fault.SinkOptions{Patience: time.Minute})
		for i := range 20 {
			s.Report(make1(fault.FsyncFailed, fmt.Sprint(i)))
			mu.Lock()
			acknowledged = i + 1
			mu.Unlock()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for i, c := range crashes {
			mustHold(t, c.fs, c.want, fmt.Sprintf("seed %d, crash %d", seed, i))
		}
	}
}

// mustHold checks that the newest of the n acknowledged faults are there. The slot
// that was being written may be lost, with the oldest record that it held.
func mustHold(t *testing.T, fs vfs.FS, n int, at string) {
	t.Helper()
	s := fault.Open(fs, "/data/faults", fault.SinkOptions{})
	defer s.Close()
	found := map[string]bool{}
	for _, m := range messages(s) {
		found[m] = true
	}
	for i := max(0, n-15); i < n; i++ {
		if !found[fmt.Sprint(i)] {
			t.Fatalf("%s: fault %d of %d is lost, there are %v", at, i, n, found)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	_, fs := disk(t)
	s := open(t, fs)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				s.Report(make1(fault.ApplyFailed, fmt.Sprintf("%d/%d", g, i)))
				s.Note(make1(fault.DiskFull, fmt.Sprint(i)))
				s.RanWell()
				s.List()
				s.Unrecoverable()
			}
		})
	}
	wg.Wait()
	if err := s.Clear(); err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Reported != 800 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}

func TestMemoryOnly(t *testing.T) {
	s := fault.NewSink(nil, fault.SinkOptions{})
	s.Report(make1(fault.ConfigInvalid, "x"))
	s.Report(nil)
	if r, ok := s.Unrecoverable(); !ok || r.Persisted {
		t.Errorf("%+v", r)
	}
	if err := errors.Join(s.Clear(), s.Close()); err != nil || len(s.List()) != 0 {
		t.Errorf("%v, %v", err, s.List())
	}
	s.Report(make1(fault.ConfigInvalid, "after Close"))
	if len(s.List()) != 1 {
		t.Error("a report after Close is lost")
	}
}
