package storagetest

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

func closeFinishes(t *testing.T, f *logFixture) {
	var all []<-chan error
	for i := range protocol.Index(100) {
		all = append(all, f.queue(Entries(1, i+1, 1)...))
	}
	if err := f.Log.Close(); err != nil {
		t.Fatal(err)
	}
	for i, done := range all {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("append %d: %v", i, err)
			}
		default:
			t.Fatalf("close came back before done of append %d", i)
		}
	}
}

func closedRefuses(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 3)...)
	if err := f.Log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Log.Read(1, 1, 1); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("read gave %v, want ErrClosed", err)
	}
	if err := f.Log.Compact(1); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("compact gave %v, want ErrClosed", err)
	}
	if err := wait(t, f.queue(Entries(1, 4, 1)...)); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("append gave %v, want ErrClosed", err)
	}
}

func reopenFinds(_ *testing.T, f *logFixture) {
	f.reopen()
	f.expect()
	f.append(Entries(1, 1, 100)...)
	f.reopen()
	f.expect()
	f.append(Entries(2, 101, 5)...)
	f.reopen()
	f.reopen()
	f.expect()
}

func reopenAfterCuts(_ *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 20)...)
	f.append(Entries(2, 10, 3)...)
	f.reopen()
	f.expect()
	f.compact(11)
	f.reopen()
	f.expect()
	f.append(Entries(3, 12, 8)...)
	f.reset(protocol.EntryID{Term: 9, Index: 15})
	f.reopen()
	f.expect()
	f.append(Entries(9, 16, 2)...)
	f.reopen()
	f.expect()
}

func errorsStick(t *testing.T, f *logFixture) {
	if f.Fail == nil {
		t.Skip("this log has no disk that can fail")
	}
	f.append(Entries(1, 1, 5)...)
	before := f.model.Clone()
	f.Fail()
	for i := range protocol.Index(3) {
		if err := wait(t, f.queue(Entries(1, 6+i, 1)...)); err == nil {
			t.Fatalf("append %d was reported durable by a disk that fails", 6+i)
		}
	}
	done := make(chan error, 1)
	f.Log.Reset(protocol.EntryID{Term: 2, Index: 50}, nil, func(err error) { done <- err })
	if err := wait(t, done); err == nil {
		t.Fatal("reset was reported durable by a disk that fails")
	}
	f.Log.Close()
	if f.Reopen == nil {
		return
	}
	f.Log = f.Reopen(t)
	f.model = before
	if got := f.Log.State(); got.Last < before.Last().Index {
		t.Fatalf("entries that were durable are gone: the log ends at %d", got.Last)
	}
}

func randomOperations(t *testing.T, f *logFixture) {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	term := protocol.Term(1)
	for range 400 {
		last := f.model.Last().Index
		base := f.model.Base.Index
		switch p := rng.IntN(100); {
		case p < 60:
			f.queue(f.some(rng, term, last+1, 6)...)
		case p < 75 && last > base:
			term++
			at := base + 1 + protocol.Index(rng.Uint64N(uint64(last-base)))
			f.queue(f.some(rng, term, at, 4)...)
		case p < 85 && last > base:
			f.compact(base + 1 + protocol.Index(rng.Uint64N(uint64(last-base))))
		case p < 88:
			term++
			f.reset(protocol.EntryID{Term: term, Index: base + protocol.Index(rng.IntN(20))})
		case p < 92 && f.Reopen != nil:
			f.reopen()
			f.model = realign(f.Log, f.model)
		}
		f.expect()
	}
}

// some makes up to most entries, of which some are configurations.
func (f *logFixture) some(rng *rand.Rand, term protocol.Term, first protocol.Index, most int) []protocol.Entry {
	es := Entries(term, first, 1+rng.IntN(most))
	for i, e := range es {
		if rng.IntN(8) == 0 {
			es[i] = Configuration(term, e.Index)
		}
	}
	return es
}

// realign lets a model take over the base of a reopened log, which may have kept what
// Compact allowed it to drop. What was kept is not compared.
func realign(log storage.Log, m Model) Model {
	s := log.State()
	if s.Base.Index >= m.Base.Index {
		return m
	}
	var kept []protocol.Entry
	for lo := s.Base.Index + 1; lo <= m.Base.Index; {
		es, err := log.Read(lo, m.Base.Index, 1<<20)
		if err != nil || len(es) == 0 {
			return m // expect will tell
		}
		kept = append(kept, es...)
		lo += protocol.Index(len(es))
	}
	return Model{Base: s.Base, Entries: append(kept, m.Entries...)}
}
