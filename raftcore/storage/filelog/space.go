package filelog

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// reserveName is a file that holds space for an emergency. Its content means nothing.
const reserveName = "reserve"

// spaceState is what the log knows of the space on its disk. Guarded by Log.mu.
type spaceState struct {
	full    bool   // from the low water mark, or a failure for want of space, to the high one
	waiting bool   // the writer holds a write back
	held    int64  // bytes of the reserve file
	wanted  bool   // the reserve is to be made
	free    uint64 // when Room asked last
}

var _ storage.Space = (*Log)(nil)

// Room implements storage.Space. It also decides whether the disk is full, so somebody must
// call it from time to time.
func (l *Log) Room() (storage.Room, error) {
	u, err := l.fs.Usage(l.dir)
	if err != nil {
		return storage.Room{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, k := &l.mu.space, &l.mu.keeper
	s.free = u.Free
	enough := u.Free >= l.need()
	switch {
	case u.Free < l.opts.LowWater:
		s.full = true
	case enough && (s.held < l.opts.Reserve || storage.NoSpace(k.err)):
		s.wanted = s.held < l.opts.Reserve
		k.wanted = k.wanted || k.next == nil
		l.kept.Broadcast()
		if l.opts.foreground {
			l.work.Signal()
		}
	case enough && !s.waiting:
		s.full = false
	}
	return storage.Room{
		Path: l.dir, Used: u.Total - min(u.Total, u.Free), Free: u.Free, Reserved: uint64(s.held),
		Full: s.full, Waiting: s.waiting, Need: l.need(),
	}, nil
}

// need is how much must be free for the disk to count as not full: the high water mark, and
// what the reserve will take of it.
func (l *Log) need() uint64 { return l.opts.HighWater + uint64(max(0, l.opts.Reserve-l.mu.space.held)) }

// openReserve takes over the reserve that a former process has left. One that is not whole is
// removed.
func openReserve(fsys vfs.FS, dir string, o Options) (held int64, err error) {
	name := dir + "/" + reserveName
	if o.Reserve > 0 && hasSize(fsys, name, o.Reserve) {
		take(branchReserveKept)
		return o.Reserve, nil
	}
	err = fsys.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	take(branchReserveDropped)
	return 0, err
}

// makeReserve is the keeper's: it holds space, when there is plenty.
func (l *Log) makeReserve() error {
	l.mu.space.wanted = false
	l.mu.Unlock()
	err := l.writeReserve()
	l.mu.Lock()
	if err == nil {
		l.mu.space.held = l.opts.Reserve
	}
	return err
}

func (l *Log) writeReserve() (err error) {
	name := l.dir + "/" + reserveName
	if u, err := l.fs.Usage(l.dir); err != nil || u.Free < l.opts.HighWater+uint64(l.opts.Reserve) {
		return err // Room will ask for it when there is more
	}
	f, err := l.fs.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			l.fs.Remove(name) //nolint:errcheck // recovery does it
		}
	}()
	if err := vfs.Zero(f, 0, l.opts.Reserve); err != nil {
		return err
	}
	return l.fs.SyncDir(l.dir)
}

// giveReserve gives the reserve up, so that the log can go on; false when there is none.
// The caller holds the lock, which is released meanwhile.
func (l *Log) giveReserve() bool {
	l.mu.space.full = true
	if l.mu.space.held == 0 {
		return false
	}
	l.mu.space.held = 0
	l.mu.Unlock()
	err := l.fs.Remove(l.dir + "/" + reserveName)
	l.opts.Warn(errors.Join(errReserve, err))
	l.mu.Lock()
	return err == nil
}

var errReserve = errors.New("the disk is full: the reserve is given up so that the log can go on")

// awaitSpace holds the writer back until it is worth to try again. It reports false when
// the log is to be closed. The caller holds the lock.
func (l *Log) awaitSpace() bool {
	l.mu.space.full, l.mu.space.waiting = true, true
	defer func() { l.mu.space.waiting = false }()
	due := false
	t := time.AfterFunc(retryAfter, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		due = true
		l.kept.Broadcast()
	})
	defer t.Stop()
	for !due && !l.mu.closing && l.mu.keeper.next == nil && !l.mu.keeper.wanted {
		l.kept.Wait()
	}
	return !l.mu.closing
}

// closedFor is the error of a write that waited for space when the log was closed.
func closedFor(cause error) error {
	return fmt.Errorf("%w while it waited for space: %w", storage.ErrClosed, cause)
}

// extend makes a file longer for an entry that is longer than a segment. It waits for
// space.
func (l *Log) extend(s *segment, end int64) error {
	for {
		err := vfs.Zero(s.file, max(l.opts.SegmentSize, s.end), end)
		if !storage.NoSpace(err) {
			return err
		}
		l.mu.Lock()
		again := l.giveReserve() || l.awaitSpace()
		l.mu.Unlock()
		if !again {
			return closedFor(err)
		}
	}
}
