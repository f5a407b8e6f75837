package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// LogUnderTest is an implementation of storage.Log as the suite uses it.
type LogUnderTest struct {
	// Log is empty.
	Log storage.Log
	// Reopen gives the log that a new process would find, after Log (or what Reopen
	// gave before) was closed. Nil when the log does not outlive its process.
	Reopen func(t *testing.T) storage.Log
	// Fail makes the disk refuse everything from now on. Nil when there is no disk.
	Fail func()
	// Damage spoils the payload of the durable record of an entry, as rot would; the log
	// may learn of it at once, or when it reads the record. Nil when that cannot be done.
	Damage func(t *testing.T, i protocol.Index)
}

// TestLog runs the suite. open gives an empty log; it is closed by the suite.
func TestLog(t *testing.T, open func(t *testing.T) LogUnderTest) {
	tests := map[string]func(*testing.T, *logFixture){
		"a new log is empty":                     emptyLog,
		"entries are read back":                  readBack,
		"a read is limited by bytes, not by one": readLimits,
		"reads outside the log are refused":      readOutside,
		"insert at an index cuts what follows":   insertCuts,
		"insert at the first index":              insertFirst,
		"queued entries are seen at once":        queuedAreSeen,
		"done comes once and in order":           doneInOrder,
		"done may append again":                  doneAppends,
		"compact moves the base":                 compactMoves,
		"compact beyond the end is refused":      compactBeyond,
		"reset forgets everything":               resetForgets,
		"reset to a lower base":                  resetLower,
		"large and empty payloads":               payloads,
		"configurations are noted":               configurations,
		"reads go on beside appends":             readsBeside,
		"close finishes the queue":               closeFinishes,
		"a closed log refuses":                   closedRefuses,
		"reopen finds everything":                reopenFinds,
		"reopen after cut, compact and reset":    reopenAfterCuts,
		"errors stick":                           errorsStick,
		"random operations match the model":      randomOperations,
		"a damaged record is named and repaired": damageRepaired,
		"a repair is checked":                    repairChecked,
		"damage goes with what is cut off":       damageCut,
		"damage outlives the process":            damageReopened,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u := open(t)
			f := &logFixture{LogUnderTest: u, t: t}
			t.Cleanup(func() { f.Log.Close() })
			test(t, f)
		})
	}
}

// logFixture pairs the log with its model.
type logFixture struct {
	LogUnderTest
	t     *testing.T
	model Model
}

// patience is how long the suite waits for something that must happen.
const patience = 30 * time.Second

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("done was not called")
		return nil
	}
}

// queue appends without waiting.
func (f *logFixture) queue(entries ...protocol.Entry) <-chan error {
	done := make(chan error, 2)
	f.Log.Append(entries, func(err error) { done <- err })
	f.model.Append(entries...)
	return done
}

func (f *logFixture) append(entries ...protocol.Entry) {
	f.t.Helper()
	f.durable(f.queue(entries...))
}

// durable waits until an append is done, which must go well.
func (f *logFixture) durable(done <-chan error) {
	f.t.Helper()
	if err := wait(f.t, done); err != nil {
		f.t.Fatalf("append: %v", err)
	}
}

func (f *logFixture) compact(upTo protocol.Index) {
	f.t.Helper()
	if err := f.Log.Compact(upTo); err != nil {
		f.t.Fatalf("compact to %d: %v", upTo, err)
	}
	f.model.Compact(upTo)
}

func (f *logFixture) reset(base protocol.EntryID) {
	f.t.Helper()
	done := make(chan error, 1)
	configuration := fmt.Appendf(nil, "members as of %d", base.Index)
	f.Log.Reset(base, configuration, func(err error) { done <- err })
	f.model.Reset(base, configuration)
	f.expect()
	if err := wait(f.t, done); err != nil {
		f.t.Fatalf("reset to %v: %v", base, err)
	}
}

// reopen skips the test when the log is not durable.
func (f *logFixture) reopen() {
	f.t.Helper()
	if f.Reopen == nil {
		f.t.Skip("this log does not outlive its process")
	}
	if err := f.Log.Close(); err != nil {
		f.t.Fatalf("close: %v", err)
	}
	f.Log = f.Reopen(f.t)
}

// expect compares everything that the log gives with the model.
func (f *logFixture) expect() {
	f.t.Helper()
	if d := CompareLog(f.Log, f.model); d != "" {
		f.t.Fatal(d)
	}
}

func emptyLog(_ *testing.T, f *logFixture) { f.expect() }

func readBack(_ *testing.T, f *logFixture) {
	f.append(protocol.Entry{Term: 1, Index: 1, Kind: protocol.EntryNoOp})
	f.append(Entries(1, 2, 10)...)
	f.append(protocol.Entry{Term: 2, Index: 12, Kind: protocol.EntryConfiguration, Payload: []byte("members")})
	f.append(Entries(2, 13, 3)...)
	f.expect()
}

func readLimits(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 9)...)
	one := f.model.Entries[0].Size()
	for _, limit := range []int{0, 1, one - 1, one, one + 1, 2 * one, 5 * one, math.MaxInt} {
		for lo := protocol.Index(1); lo <= 9; lo++ {
			for hi := lo; hi <= 9; hi++ {
				got, err := f.Log.Read(lo, hi, limit)
				if err != nil {
					t.Fatalf("read [%d, %d]: %v", lo, hi, err)
				}
				if d := cmp.Diff(f.model.Read(lo, hi, limit), got, cmpopts.EquateEmpty()); d != "" {
					t.Fatalf("read [%d, %d] of %d bytes (-want +got):\n%s", lo, hi, limit, d)
				}
			}
		}
	}
}

func readOutside(t *testing.T, f *logFixture) {
	refused := func(lo, hi protocol.Index, want error) {
		t.Helper()
		if es, err := f.Log.Read(lo, hi, math.MaxInt); !errors.Is(err, want) {
			t.Errorf("read [%d, %d] gave %d entries and %v, want %v", lo, hi, len(es), err, want)
		}
	}
	refused(1, 1, storage.ErrUnavailable)
	f.append(Entries(1, 1, 9)...)
	refused(0, 3, storage.ErrCompacted)
	refused(9, 10, storage.ErrUnavailable)
	f.compact(4)
	refused(4, 6, storage.ErrCompacted)
	refused(5, 10, storage.ErrUnavailable)
	f.reset(protocol.EntryID{Term: 3, Index: 20})
	refused(9, 9, storage.ErrCompacted)
	refused(20, 20, storage.ErrCompacted)
	refused(21, 21, storage.ErrUnavailable)
}

func insertCuts(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 10)...)
	f.append(Entries(2, 6, 2)...)
	f.expect()
	f.append(Entries(3, 8, 4)...)
	f.expect()
	f.append(Entries(4, 2, 1)...)
	f.expect()
}

func insertFirst(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	f.append(Entries(2, 1, 1)...)
	f.expect()
	f.append(Entries(2, 2, 3)...)
	f.compact(2)
	f.append(Entries(3, 3, 1)...)
	f.expect()
}

func queuedAreSeen(t *testing.T, f *logFixture) {
	var all []<-chan error
	for i := range protocol.Index(50) {
		all = append(all, f.queue(Entries(1, 3*i+1, 3)...))
		f.expect()
		all = append(all, f.queue(Entries(2, 3*i+2, 1)...))
		f.expect()
		all = append(all, f.queue(Entries(1, 3*i+2, 2)...))
		f.expect()
	}
	for _, done := range all {
		if err := wait(t, done); err != nil {
			t.Fatal(err)
		}
	}
	f.expect()
}

func doneInOrder(t *testing.T, f *logFixture) {
	const n = 300
	got := make(chan int, 2*n)
	for i := range n {
		f.Log.Append(Entries(1, protocol.Index(i)+1, 1), func(err error) {
			if err != nil {
				t.Errorf("append %d: %v", i, err)
			}
			got <- i
		})
	}
	for want := range n {
		select {
		case i := <-got:
			if i != want {
				t.Fatalf("done of %d came when that of %d was due", i, want)
			}
		case <-time.After(patience):
			t.Fatalf("done of %d was not called", want)
		}
	}
	if err := f.Log.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) > 0 {
		t.Fatalf("done of %d was called twice", <-got)
	}
}

// Package host appends from one goroutine, but a done that waits for that goroutine
// must not stop the log from taking more.
func doneAppends(t *testing.T, f *logFixture) {
	last := make(chan error, 1)
	f.Log.Append(Entries(1, 1, 1), func(error) {
		f.Log.Append(Entries(1, 2, 1), func(err error) { last <- err })
	})
	if err := wait(t, last); err != nil {
		t.Fatal(err)
	}
	f.model.Append(Entries(1, 1, 2)...)
	f.expect()
}

func compactMoves(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	f.append(Entries(2, 6, 5)...)
	for _, upTo := range []protocol.Index{0, 3, 3, 2, 5, 6, 10} {
		f.compact(upTo)
		f.expect()
	}
	f.append(Entries(3, 11, 2)...)
	f.expect()
}

func compactBeyond(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	if err := f.Log.Compact(6); err == nil {
		t.Error("compact beyond the last entry went well")
	}
	f.expect()
}

func resetForgets(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	f.reset(protocol.EntryID{Term: 4, Index: 100})
	f.expect()
	f.append(Entries(4, 101, 3)...)
	f.expect()
	f.append(Entries(5, 102, 1)...)
	f.expect()
}

func resetLower(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 9)...)
	f.reset(protocol.EntryID{Term: 2, Index: 4})
	f.expect()
	f.append(Entries(2, 5, 2)...)
	f.expect()
}

// configurations: the log tells of all configurations that it holds, and never forgets the
// one as of its base, whatever is cut off, compacted, emptied and reopened.
func configurations(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 2)...)
	f.append(Configuration(1, 3), Configuration(1, 4))
	f.append(Entries(1, 5, 2)...)
	f.append(Configuration(1, 7))
	f.expect()
	f.append(Entries(2, 7, 1)...) // cuts the last one off
	f.expect()
	f.append(Configuration(2, 8))
	for _, upTo := range []protocol.Index{2, 3, 6, 7} {
		f.compact(upTo)
		f.expect()
	}
	f.reset(protocol.EntryID{Term: 3, Index: 20})
	f.append(Entries(3, 21, 4)...)
	f.compact(22)
	f.expect()
	f.append(Configuration(3, 25))
	f.compact(25)
	f.expect()
	f.reopen()
	f.model = realign(f.Log, f.model)
	f.expect()
}

func payloads(_ *testing.T, f *logFixture) {
	for i, size := range []int{0, 1, 511, 512, 4096, 70_000, 3 << 20, 0} {
		f.append(protocol.Entry{
			Term: 1, Index: protocol.Index(i) + 1, Kind: protocol.EntryCommand,
			Payload: bytes.Repeat([]byte{byte(i)}, size),
		})
	}
	f.expect()
}

func readsBeside(t *testing.T, f *logFixture) {
	const n = 400
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := readAll(f.Log); err != nil {
				failed <- err
				return
			}
		}
	}()
	var last <-chan error
	for i := range protocol.Index(n) {
		last = f.queue(Entries(1, i+1, 1)...)
		if i%64 == 63 {
			f.durable(last)
			f.compact(i - 32)
		}
	}
	f.durable(last)
	close(stop)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	f.expect()
}

// readAll reads what the log says it holds. That the base has moved meanwhile is not
// an error.
func readAll(log storage.Log) error {
	s := log.State()
	for lo := s.Base.Index + 1; lo <= s.Last; {
		es, err := log.Read(lo, s.Last, 200)
		if errors.Is(err, storage.ErrCompacted) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range es {
			if want := Entries(1, lo, 1)[0]; !cmp.Equal(want, e) {
				return fmt.Errorf("entry %d is %+v", lo, e)
			}
			lo++
		}
	}
	return nil
}
