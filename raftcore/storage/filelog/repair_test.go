package filelog

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// spoilt gives a store whose log was closed in order and then had the header of each of the
// entries damaged, opened again.
func spoilt(t *testing.T, write func(*testStore), headers ...protocol.Index) *testStore {
	t.Helper()
	ts := newTestStore(t)
	write(ts)
	at := map[string][]int64{}
	for _, i := range headers {
		s := find(ts.Log.mu.chain, i)
		at[s.name] = append(at[s.name], int64(s.offsets[i-s.first]))
	}
	if err := ts.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for file, offsets := range at {
		for _, offset := range offsets {
			flip(t, ts.fs, file, offset+9) // the term
		}
	}
	return ts
}

func indexes(ids []protocol.EntryID) (is []protocol.Index) {
	for _, id := range ids {
		is = append(is, id.Index)
	}
	return is
}

// Whole headers are gone, of entries beside each other, at the beginning and the end of
// segments: their names follow from what is around them.
func TestEntriesWithoutHeadersAreNamed(t *testing.T) {
	write := func(ts *testStore) {
		for i := range protocol.Index(30) {
			ts.append(command(1, i+1, 300))
		}
	}
	for first := protocol.Index(2); first < 30; first++ {
		for n := protocol.Index(1); n <= 4 && first+n <= 31; n++ {
			var lost []protocol.Index
			for i := first; i < first+n; i++ {
				lost = append(lost, i)
			}
			ts := spoilt(t, write, lost...)
			ts.reopen(ts.fs)
			if d := cmp.Diff(lost, indexes(ts.Log.Damaged())); d != "" {
				t.Fatalf("lost %v: damaged (-want +got):\n%s", lost, d)
			}
			if st := ts.Log.State(); st.Last != 30 {
				t.Fatalf("lost %v: the log ends at %d", lost, st.Last)
			}
			repairAll(t, ts.Log, ts.model)
			ts.expect()
			ts.Store.Close()
			ts.reopen(ts.fs.Crash(vfs.PowerLoss{}))
			ts.expect()
		}
	}
}

// Where the term changes behind a record without a header, its term is not certain, and
// where entries may have been cut off in it neither are those before it: the log is not opened.
func TestAnUncertainTermIsNotGuessed(t *testing.T) {
	histories := map[string]func(*testStore){
		"the first of a term": func(ts *testStore) {
			for i := range protocol.Index(5) {
				ts.append(command(1, i+1, 100))
			}
			ts.append(command(2, 6, 100), command(2, 7, 100))
		},
		"a cut": func(ts *testStore) {
			for i := range protocol.Index(8) {
				ts.append(command(1, i+1, 100))
			}
			ts.append(command(2, 6, 100))
			ts.append(command(2, 7, 100))
		},
	}
	for name, write := range histories {
		ts := spoilt(t, write, 6)
		_, err := Open(ts.fs, "d", ts.opts)
		var d *storage.DamageError
		if !errors.As(err, &d) {
			t.Errorf("%s: open gave %v", name, err)
		}
	}
}

// What the base has passed, or what was cut off, need not be certain.
func TestDamageOfWhatIsForgottenDoesNotMatter(t *testing.T) {
	base := newTestStore(t)
	for i := range protocol.Index(5) {
		base.append(command(1, i+1, 100))
	}
	base.append(command(2, 6, 100), command(2, 7, 100), command(2, 8, 100))
	s := find(base.Log.mu.chain, 6)
	file, offset := s.name, int64(s.offsets[6-s.first])
	if err := base.Log.Compact(7); err != nil {
		t.Fatal(err)
	}
	base.model.Compact(7)
	if err := base.Store.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, base.fs, file, offset+9)
	base.reopen(base.fs)
	base.expect()
	if got := base.Log.Damaged(); len(got) > 0 {
		t.Errorf("damaged are %v", got)
	}
}

// A repair is interrupted at every operation, by a kill and by losses of power: afterwards
// the log opens, names at most what was damaged, and can be repaired.
func TestEveryCrashOfARepair(t *testing.T) {
	for _, lost := range [][]protocol.Index{{9}, {9, 10, 11}, {2}, {24, 25}} {
		ts := spoilt(t, func(ts *testStore) {
			for i := range protocol.Index(25) {
				ts.append(command(1, i+1, 700))
			}
		}, lost...)
		ts.reopen(ts.fs)
		var crashed []*vfs.Mem
		ts.fs.Observe(func(vfs.Op, string) {
			for seed := range uint64(20) {
				crashed = append(crashed, ts.fs.Crash(vfs.PowerLoss{Keep: 50, Seed: seed}))
			}
			crashed = append(crashed, ts.fs.Kill(), ts.fs.Crash(vfs.PowerLoss{}))
		})
		repairAll(t, ts.Log, ts.model)
		ts.fs.Observe(nil)
		crashed = append(crashed, ts.fs.Crash(vfs.PowerLoss{}))
		left := map[int]int{}
		for i, disk := range crashed {
			s, err := Open(disk, "d", ts.opts)
			if err != nil {
				t.Fatalf("lost %v, crash %d: %v", lost, i, err)
			}
			damaged := indexes(s.Log.Damaged())
			left[len(damaged)]++
			for _, d := range damaged {
				if !slices.Contains(lost, d) {
					t.Fatalf("lost %v, crash %d: damaged are %v", lost, i, damaged)
				}
			}
			repairAll(t, s.Log, ts.model)
			if d := storagetest.CompareLog(s.Log, ts.model); d != "" {
				t.Fatalf("lost %v, crash %d: %s", lost, i, d)
			}
			s.Close()
		}
		if left[len(lost)] == 0 || left[0] == 0 {
			t.Errorf("lost %v: so many were damaged after how many crashes: %v", lost, left)
		}
	}
}

// An entry that may be a Configuration is not compacted away while only its damaged record
// told of it, and is known once it is repaired.
func TestADamagedConfigurationIsNotForgotten(t *testing.T) {
	for _, headers := range []bool{true, false} {
		ts := newTestStore(t)
		for i := range protocol.Index(10) {
			if i == 4 {
				ts.append(storagetest.Configuration(1, i+1))
				continue
			}
			ts.append(command(1, i+1, 100))
		}
		s := find(ts.Log.mu.chain, 5)
		file, offset := s.name, int64(s.offsets[5-s.first])
		if err := ts.Store.Close(); err != nil {
			t.Fatal(err)
		}
		at := offset + 30
		if headers {
			at = offset + 9
		}
		flip(t, ts.fs, file, at)
		ts.reopen(ts.fs)
		if err := ts.Log.Compact(8); err != nil {
			t.Fatal(err)
		}
		if base := ts.Log.State().Base.Index; base != 4 {
			t.Fatalf("header lost %v: the base went to %d", headers, base)
		}
		if err := repairOne(ts.Log, ts.model.Entries[4]); err != nil {
			t.Fatal(err)
		}
		ts.model.Compact(4)
		ts.expect()
		if err := ts.Log.Compact(8); err != nil {
			t.Fatal(err)
		}
		ts.model.Compact(8)
		ts.expect()
		if ts.Log.State().Configuration == nil {
			t.Errorf("header lost %v: the configuration as of the base is not known", headers)
		}
	}
}

// While a Configuration is written into its damaged place, another leader replaces it, or the
// base passes it: it must not come back.
func TestARepairThatComesTooLateConfiguresNothing(t *testing.T) {
	races := map[string]struct {
		during func(*Log, *storagetest.Model) error
		after  protocol.Index // the base goes there in the end
	}{
		"replaced": {func(l *Log, m *storagetest.Model) error {
			es := []protocol.Entry{command(2, 5, 100), command(2, 6, 100), command(2, 7, 100), command(2, 8, 100)}
			m.Append(es...)
			l.Append(es, func(error) {})
			return nil
		}, 7},
		"compacted": {func(l *Log, m *storagetest.Model) error {
			m.Compact(7)
			return l.Compact(7)
		}, 8},
	}
	for name, race := range races {
		ts := newTestStore(t)
		for i := range protocol.Index(10) {
			if i == 4 || i == 5 && name == "compacted" {
				ts.append(storagetest.Configuration(1, i+1))
				continue
			}
			ts.append(command(1, i+1, 100))
		}
		lost := ts.model.Entries[4]
		s := find(ts.Log.mu.chain, 5)
		flip(t, ts.fs, s.name, int64(s.offsets[5-s.first])+30)
		if _, err := ts.Log.Read(5, 5, 1000); err == nil {
			t.Fatal("the damage is not met")
		}
		ts.append(command(1, 11, 100)) // and the mark of the damage is written with it
		raced := false
		ts.fs.Observe(func(op vfs.Op, file string) {
			if !raced && file == s.name {
				raced = true
				if err := race.during(ts.Log, &ts.model); err != nil {
					t.Error(err)
				}
			}
		})
		if err := repairOne(ts.Log, lost); err != nil {
			t.Fatal(err)
		}
		ts.fs.Observe(nil)
		if !raced {
			t.Fatalf("%s: nothing was written", name)
		}
		ts.expect()
		if err := ts.Log.Compact(race.after); err != nil {
			t.Fatal(err)
		}
		ts.model.Compact(race.after)
		ts.expect()
	}
}

// The tests of this room must be able to fail.
func TestMutationsOfRecovery(t *testing.T) {
	t.Run("CutDamage", func(t *testing.T) {
		ts := spoilt(t, func(ts *testStore) {
			for i := range protocol.Index(5) {
				ts.append(command(1, i+1, 100))
			}
		}, 3)
		ts.opts.bugs = mutation.CutDamage
		ts.reopen(ts.fs)
		if d := storagetest.CompareLog(ts.Log, ts.model); d == "" {
			t.Error("nothing was cut")
		} else if len(ts.Log.Damaged()) > 0 {
			t.Error("damage is told")
		}
	})
	t.Run("DropTailAfterFsyncFailure", func(t *testing.T) {
		if found, left := afterFailedSync(t, mutation.DropTailAfterFsyncFailure); found == left {
			t.Error("the page cache did not lie")
		}
	})
}

// afterFailedSync lets a sync of two writes' worth of entries fail in a page cache that keeps
// them and claims them to be clean, opens the log again in the same machine, and tells how
// far the log reached then and after a loss of power.
func afterFailedSync(t *testing.T, bugs mutation.Set) (found, left protocol.Index) {
	t.Helper()
	mem := vfs.NewMem()
	lies := &pageCache{FS: mem, files: map[string]*cachedPages{}}
	opts := Options{SegmentSize: 64 << 10, foreground: true, bugs: bugs}
	if err := Format(lies, "d", crashIdentity, opts); err != nil {
		t.Fatal(err)
	}
	s, err := Open(lies, "d", opts)
	if err != nil {
		t.Fatal(err)
	}
	appended := func(es ...protocol.Entry) error {
		done := make(chan error, 1)
		s.Log.Append(es, func(err error) { done <- err })
		return <-done
	}
	for i := range protocol.Index(2) { // when the second is done, the next segment is prepared
		if err := appended(command(1, i+1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	lies.failOnce()
	if err := appended(command(1, 3, 5000), command(1, 4, 5000)); err == nil {
		t.Fatal("a failed sync was told to be durable")
	}
	s.Close() //nolint:errcheck // it has failed
	again, err := Open(lies, "d", opts)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	found = again.Log.State().Last
	after, err := Open(mem.Crash(vfs.PowerLoss{}), "d", Options{SegmentSize: 64 << 10, foreground: true})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	left = after.Log.State().Last
	if damaged := after.Log.Damaged(); len(damaged) > 0 {
		left = damaged[0].Index - 1 // the mark behind them tells that they were trusted once
	}
	return found, left
}

// A running log meets damage in its last record, and its power fails. What was met is told from
// a torn write: it is not cut off, and keeps its name.
func TestDamageThatWasMetAtTheEndIsNoTornWrite(t *testing.T) {
	for what, harm := range map[string]func(*testStore, Record){"header": (*testStore).loseHeader, "payload": (*testStore).losePayload} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := newTestStore(t)
				for i := protocol.Index(1); i <= 5; i++ {
					ts.append(command(1, i, 100))
				}
				ts.meets(5, harm)
				synctest.Wait() // the log has written what it will
				disk := ts.fs.Crash(vfs.PowerLoss{})
				if err := ts.Store.Close(); err != nil {
					t.Fatal(err)
				}
				ts.reopen(disk)
				defer ts.Store.Close()
				if st, got := ts.Log.State(), indexes(ts.Log.Damaged()); st.Last != 5 || !slices.Equal(got, []protocol.Index{5}) {
					t.Errorf("the log ends at %d, damaged are %v, want 5 and [5]", st.Last, got)
				}
			})
		})
	}
}
