package memlog

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
)

func TestLog(t *testing.T) {
	storagetest.TestLog(t, func(*testing.T) storagetest.LogUnderTest {
		l := NewLog()
		return storagetest.LogUnderTest{
			Log:    l,
			Reopen: func(*testing.T) storage.Log { l = l.Reopen(); return l },
			Fail:   func() { l.Fail(errors.New("this disk is broken")) },
			Damage: func(_ *testing.T, i protocol.Index) { l.Damage(i) },
		}
	})
}

func TestVotes(t *testing.T) {
	storagetest.TestVotes(t, func(*testing.T) storagetest.VotesUnderTest {
		v := &Votes{}
		return storagetest.VotesUnderTest{
			Votes:  v,
			Reopen: func(*testing.T) storage.Votes { return v },
			Fail:   func() { v.Fail(errors.New("this disk is broken")) },
		}
	})
}

func TestSnapshots(t *testing.T) {
	storagetest.TestSnapshots(t, func(*testing.T) storagetest.SnapshotsUnderTest {
		s := &Snapshots{}
		return storagetest.SnapshotsUnderTest{Snapshots: s, Reopen: func(*testing.T) storage.Snapshots { return s }}
	})
}

// What is held back is seen by the process, but is not durable and not found after a
// crash; what was durable before is.
func TestHoldAndCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog()
		var done []string
		note := func(what string) func(error) { return func(error) { done = append(done, what) } }
		l.Append(storagetest.Entries(1, 1, 3), note("first"))
		synctest.Wait()
		l.Hold()
		l.Append(storagetest.Entries(1, 4, 2), note("held"))
		synctest.Wait()
		if len(done) != 1 || l.State().Last != 5 {
			t.Errorf("done are %v, the log ends at %d; want only the first, and 5", done, l.State().Last)
		}
		next := l.Reopen()
		synctest.Wait()
		if len(done) != 1 || next.State().Last != 3 {
			t.Errorf("after the crash done are %v, the log ends at %d; want only the first, and 3", done, next.State().Last)
		}
		if err := next.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReleaseMakesDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog()
		l.Hold()
		durable := false
		l.Append(storagetest.Entries(1, 1, 1), func(err error) { durable = err == nil })
		synctest.Wait()
		if durable {
			t.Error("a write that is held back was told to be durable")
		}
		l.Release()
		synctest.Wait()
		if !durable {
			t.Error("a write that was released is not durable")
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
