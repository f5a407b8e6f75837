package filelog

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/storage/storagetest"
	"github.com/quorate/quorate/raftcore/vfs"
)

// spaced is a log on a small disk, in a synctest bubble, and what it has acknowledged.
type spaced struct {
	*Store
	t     *testing.T
	mem   *vfs.Mem
	model storagetest.Model

	mu      sync.Mutex
	acked   protocol.Index
	refused error
}

var spaceOptions = Options{SegmentSize: minSegmentSize, KeepFree: 1, Reserve: 2 * minSegmentSize, LowWater: 3 * minSegmentSize, HighWater: 5 * minSegmentSize}

func onSmallDisk(t *testing.T, f func(*spaced)) {
	synctest.Test(t, func(t *testing.T) {
		s := &spaced{t: t, mem: vfs.NewMem()}
		if err := Format(s.mem, "d", crashIdentity, spaceOptions); err != nil {
			t.Fatal(err)
		}
		var err error
		if s.Store, err = Open(s.mem, "d", spaceOptions); err != nil {
			t.Fatal(err)
		}
		s.room(func(r storage.Room) bool { return !r.Full && r.Reserved == uint64(spaceOptions.Reserve) })
		f(s)
		s.Store.Close() //nolint:errcheck // it may fail on purpose
	})
}

// room waits until Room tells what is wanted, and asks it every second as a host does.
func (s *spaced) room(want func(storage.Room) bool) storage.Room {
	s.t.Helper()
	var r storage.Room
	for range 10 {
		s.askRoom() // begins what may make room
		if r = s.askRoom(); want(r) {
			return r
		}
		time.Sleep(time.Second)
	}
	s.t.Fatalf("after 10 s the room is %+v", r)
	return r
}

func (s *spaced) askRoom() storage.Room {
	s.t.Helper()
	synctest.Wait()
	r, err := s.Log.Room()
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// leave makes so many bytes of the disk free.
func (s *spaced) leave(free uint64) {
	s.t.Helper()
	u, err := s.mem.Usage("d")
	if err != nil {
		s.t.Fatal(err)
	}
	s.mem.SetCapacity(u.Total - u.Free + free)
}

func (s *spaced) append(size int) {
	e := command(1, s.model.Last().Index+1, size)
	s.model.Append(e)
	s.Log.Append([]protocol.Entry{e}, func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.refused = err
			return
		}
		s.acked = e.Index
	})
}

func (s *spaced) acknowledged() protocol.Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// fill appends until the log holds back what it is given.
func (s *spaced) fill() {
	s.t.Helper()
	for range 100 {
		s.append(1000)
		synctest.Wait()
		if s.acknowledged() < s.model.Last().Index {
			return
		}
	}
	s.t.Fatal("100 entries went into a disk that is full")
}

func TestAFullDiskHoldsAppendsBackUntilThereIsSpace(t *testing.T) {
	onSmallDisk(t, func(s *spaced) {
		s.append(100)
		s.leave(2 * minSegmentSize)
		r := s.room(func(r storage.Room) bool { return r.Full })
		if r.Waiting || r.Reserved == 0 || r.Need != spaceOptions.HighWater {
			t.Errorf("below the low water mark the room is %+v", r)
		}
		s.leave(0)
		s.fill()
		r = s.room(func(r storage.Room) bool { return r.Waiting })
		if r.Reserved != 0 || !r.Full || r.Need != spaceOptions.HighWater+uint64(spaceOptions.Reserve) {
			t.Errorf("when nothing is left the room is %+v", r)
		}
		if n := s.acknowledged(); n < 4*3 {
			t.Errorf("only %d entries went into the files that were prepared and the reserve", n)
		}
		s.append(10) // waits as well
		time.Sleep(time.Minute)
		if s.acknowledged() >= s.model.Last().Index-1 || s.refused != nil {
			t.Fatalf("of %d entries %d are acknowledged, the last were refused with %v", s.model.Last().Index, s.acknowledged(), s.refused)
		}
		if d := storagetest.CompareLog(s.Log, s.model); d != "" {
			t.Errorf("while it waits: %s", d)
		}

		s.leave(2 * minSegmentSize) // enough to go on, not enough to be well
		r = s.room(func(r storage.Room) bool { return !r.Waiting })
		if synctest.Wait(); s.acknowledged() != s.model.Last().Index || !r.Full {
			t.Errorf("with a little space %d of %d are acknowledged, the room is %+v", s.acknowledged(), s.model.Last().Index, r)
		}
		s.leave(9 * minSegmentSize)
		r = s.room(func(r storage.Room) bool { return !r.Full })
		if r.Reserved != uint64(spaceOptions.Reserve) {
			t.Errorf("when space is back the room is %+v", r)
		}
		s.append(1000)
		synctest.Wait()
		if err := s.Store.Close(); err != nil || s.refused != nil {
			t.Fatalf("close gave %v, an append %v", err, s.refused)
		}
		s.reopened(s.mem, s.model.Last().Index)
	})
}

// reopened opens what is found on a disk and demands at least the entries up to acked.
func (s *spaced) reopened(disk *vfs.Mem, acked protocol.Index) {
	s.t.Helper()
	again, err := Open(disk, "d", spaceOptions)
	if err != nil {
		s.t.Fatal(err)
	}
	defer again.Close()
	st := again.Log.State()
	if st.Last < acked {
		s.t.Fatalf("the log ends at %d, %d was acknowledged", st.Last, acked)
	}
	m := storagetest.Model{Entries: s.model.Entries[:st.Last]}
	if d := storagetest.CompareLog(again.Log, m); d != "" {
		s.t.Fatal(d)
	}
}

func TestSpaceForAnEntryLongerThanASegment(t *testing.T) {
	onSmallDisk(t, func(s *spaced) {
		s.leave(0)
		s.append(6 * minSegmentSize)
		r := s.room(func(r storage.Room) bool { return r.Waiting })
		if r.Reserved != 0 || s.acknowledged() != 0 {
			t.Errorf("the room is %+v, %d is acknowledged", r, s.acknowledged())
		}
		s.leave(9 * minSegmentSize)
		s.room(func(r storage.Room) bool { return !r.Waiting })
		if synctest.Wait(); s.acknowledged() != 1 || s.refused != nil {
			t.Errorf("with space %d is acknowledged, %v", s.acknowledged(), s.refused)
		}
		s.mem.SetCapacity(0)
		s.Store.Close() //nolint:errcheck // what is on the disk is looked at
		s.reopened(s.mem, 1)
	})
}

func TestCloseDoesNotWaitForSpace(t *testing.T) {
	onSmallDisk(t, func(s *spaced) {
		s.leave(0)
		s.fill()
		s.room(func(r storage.Room) bool { return r.Waiting })
		if err := s.Store.Close(); !errors.Is(err, syscall.ENOSPC) || !errors.Is(s.refused, syscall.ENOSPC) || !errors.Is(s.refused, storage.ErrClosed) {
			t.Errorf("close gave %v, the append that waited %v", err, s.refused)
		}
		s.reopened(s.mem, s.acknowledged()) // on the full disk
	})
}

// A member is killed, or loses its power, at any step of a disk's getting full and being
// emptied again: nothing that was acknowledged is lost, and it opens, on the full disk too.
func TestCrashesOfAFullDisk(t *testing.T) {
	type crash struct {
		disk  *vfs.Mem
		acked protocol.Index
	}
	onSmallDisk(t, func(s *spaced) {
		var mu sync.Mutex
		var crashes []crash
		s.mem.Observe(func(vfs.Op, string) {
			acked := s.acknowledged()
			n := uint64(len(crashes))
			mu.Lock()
			defer mu.Unlock()
			crashes = append(crashes,
				crash{s.mem.Kill(), acked}, crash{s.mem.Crash(vfs.PowerLoss{Keep: 50, Seed: n}), acked}, crash{s.mem.Crash(vfs.PowerLoss{}), acked})
		})
		s.append(100)
		s.leave(minSegmentSize)
		s.room(func(r storage.Room) bool { return r.Full })
		s.fill()
		s.room(func(r storage.Room) bool { return r.Waiting })
		s.leave(9 * minSegmentSize)
		s.room(func(r storage.Room) bool { return !r.Full })
		s.append(1000)
		synctest.Wait()
		s.mem.Observe(nil)
		for _, c := range crashes {
			s.reopened(c.disk, c.acked)
		}
		t.Logf("%d crashes", len(crashes))
		if !slices.ContainsFunc(crashes, func(c crash) bool { return c.acked > 14 }) {
			t.Error("no crash came late enough: the test does not test")
		}
	})
}
