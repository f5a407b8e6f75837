package filelog

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// keeperState is what the keeper does: it has the next segment ready before it is
// needed, and gives segments that hold nothing any more another life. Guarded by
// Log.mu.
type keeperState struct {
	next   *segment // ready to be written; nil while it is prepared
	seq    uint64   // of the next one to prepare
	wanted bool     // an attempt to prepare is due
	tries  int      // attempts that have ended
	err    error    // of the last attempt
	failed time.Time

	retired []*segment // oldest first, to be freed in this order
	stuck   bool       // freeing has failed; try again when more is retired
	free    []string   // names of pre-written files
	stop    bool
}

// retryAfter is how long the keeper waits after it could not prepare a segment.
const retryAfter = time.Second

func (k *keeperState) hasWork() bool {
	return k.next == nil && k.wanted || len(k.retired) > 0 && !k.stuck
}

func (l *Log) hasWork() bool { return l.mu.keeper.hasWork() || l.mu.space.wanted }

// runKeeper is the keeper's goroutine.
func (l *Log) runKeeper() {
	defer l.running.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.mu.keeper.stop {
		if !l.hasWork() {
			l.kept.Wait()
			continue
		}
		l.keepOnce()
	}
}

// stopKeeper ends the keeper after the writer has ended.
func (l *Log) stopKeeper() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.keeper.stop = true
	l.kept.Broadcast()
}

// tend is called by the writer between batches: it lets the keeper try again.
func (l *Log) tend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &l.mu.keeper
	if k.err != nil && time.Since(k.failed) > retryAfter {
		k.wanted = true
		l.kept.Broadcast()
	}
	if l.opts.foreground && l.mu.err == nil {
		for l.hasWork() {
			l.keepOnce()
		}
	}
}

// nextSegment gives the writer the next segment, waiting for it when it must, and makes
// it the last of the chain. Where there is no space it waits until there is.
func (l *Log) nextSegment() (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := &l.mu.keeper
	tries := k.tries
	for k.next == nil {
		if k.tries > tries {
			if !storage.NoSpace(k.err) {
				return nil, k.err
			}
			if cause := k.err; !l.awaitSpace() {
				return nil, closedFor(cause)
			}
			tries = k.tries
			continue
		}
		k.wanted = true
		if l.opts.foreground {
			l.keepOnce()
		} else {
			l.kept.Broadcast()
			l.kept.Wait()
		}
	}
	s := k.next
	l.mu.chain = append(l.mu.chain, s)
	k.next, k.wanted = nil, true
	l.kept.Broadcast()
	return s, nil
}

// retire hands the segments at the chain's beginning that hold no entry above the
// durable base to the keeper. Never out of order: see invariant 5.
func (l *Log) retire(base protocol.Index) {
	n := 0
	for n < len(l.mu.chain)-1 {
		if last, ok := l.mu.chain[n].last(); ok && last > base {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	k := &l.mu.keeper
	k.retired = append(k.retired, l.mu.chain[:n]...)
	k.stuck = false
	l.mu.chain = append([]*segment(nil), l.mu.chain[n:]...)
	l.kept.Broadcast()
}

// keepOnce does one piece of work, with the lock released meanwhile.
func (l *Log) keepOnce() {
	k := &l.mu.keeper
	var warning error
	switch {
	case len(k.retired) > 0 && !k.stuck:
		warning = l.recycleOne()
	case k.next == nil && k.wanted:
		warning = l.prepareOne()
	case l.mu.space.wanted:
		warning = l.makeReserve()
	}
	l.kept.Broadcast()
	if warning != nil {
		l.mu.Unlock()
		l.opts.Warn(warning)
		l.mu.Lock()
	}
}

func (l *Log) prepareOne() error {
	k := &l.mu.keeper
	free := ""
	if n := len(k.free); n > 0 {
		free, k.free = k.free[n-1], k.free[:n-1]
	}
	seq := k.seq
	l.mu.Unlock()
	s, err := makeSegment(l.fs, l.dir, l.opts, seq, free, nil)
	l.mu.Lock()
	k.tries++
	k.wanted = false
	k.err = err
	if storage.NoSpace(err) && l.giveReserve() {
		k.err, k.wanted = nil, true
		k.tries-- // this attempt does not count
		return nil
	}
	if err != nil {
		k.failed = time.Now()
		return fmt.Errorf("prepare the next log file: %w", err)
	}
	k.next = s
	k.seq++
	return nil
}

// recycleOne frees the oldest retired segment. Its loss of the name is durable before
// anything else happens, to it or to the segments after it.
func (l *Log) recycleOne() error {
	k := &l.mu.keeper
	s := k.retired[0]
	pool := len(k.free) < l.opts.KeepFree
	l.mu.Unlock()
	name, err := l.free(s, pool)
	l.mu.Lock()
	if err != nil {
		k.stuck = true
		return fmt.Errorf("free log file %s: %w", s.name, err)
	}
	k.retired = k.retired[1:]
	if name != "" {
		k.free = append(k.free, name)
	}
	if k.err != nil {
		k.wanted = true // there is space again, perhaps
	}
	return nil
}

// free takes the name of a segment away. With pool the file keeps its blocks for
// another life, and its new name is given.
func (l *Log) free(s *segment, pool bool) (name string, err error) {
	s.use.Lock()
	defer s.use.Unlock()
	size, err := s.file.Size()
	if err != nil {
		return "", err
	}
	if pool && size == l.opts.SegmentSize {
		name = fmt.Sprintf("%s/%016x%s", l.dir, s.salt, freeSuffix) // unique, as numbers are not
		err = l.fs.Rename(s.name, name)
	} else {
		err = l.fs.Remove(s.name)
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return "", err
	}
	return name, s.file.Close()
}

// makeSegment makes a segment that is ready to be written: its space is pre-written,
// its header durable, and so is its name. free is a pre-written file to use, or empty.
// first, when set, is written as its head: the first segment of a log is never without.
func makeSegment(fsys vfs.FS, dir string, o Options, seq uint64, free string, first *head) (s *segment, err error) {
	s = &segment{seq: seq, salt: o.salt(), name: dir + "/" + segmentName(seq), end: dataStart}
	source := free
	if free == "" {
		source = fmt.Sprintf("%s/%016x%s", dir, seq, newSuffix)
		s.file, err = fsys.Create(source)
	} else {
		s.file, err = fsys.OpenReadWrite(free)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // give the space back; where that fails too, recovery does it
			s.file.Close()
			_ = fsys.Remove(source)
			s = nil
		}
	}()
	if free == "" {
		if err := vfs.Zero(s.file, 0, o.SegmentSize); err != nil {
			return s, err
		}
	}
	page := encodeHeader(seq, s.salt)
	if first != nil {
		page = placeOf(s.salt, dataStart).AppendFrame(page, flagStart, first.record())
		s.end, s.body = int64(len(page)), int64(len(page))
	}
	if _, err := s.file.WriteAt(page, 0); err != nil {
		return s, err
	}
	if err := s.file.Sync(); err != nil {
		return s, err
	}
	if err := fsys.Rename(source, s.name); err != nil {
		return s, err
	}
	return s, fsys.SyncDir(dir)
}

// openFree gives the pre-written files that a former process has left, and removes what
// it has left half done.
func openFree(fsys vfs.FS, dir string, names []string, o Options) (free []string, err error) {
	removed := false
	for _, name := range names {
		_, isNew := parseSeq(name, newSuffix)
		_, isFree := parseSeq(name, freeSuffix)
		if !isNew && !isFree {
			continue
		}
		path := dir + "/" + name
		if isFree && len(free) < o.KeepFree+1 && hasSize(fsys, path, o.SegmentSize) {
			take(branchFreeKept)
			free = append(free, path)
			continue
		}
		take(branchFreeDropped)
		if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		removed = true
	}
	if removed {
		return free, fsys.SyncDir(dir)
	}
	return free, nil
}

func hasSize(fsys vfs.FS, name string, want int64) bool {
	f, err := fsys.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	size, err := f.Size()
	return err == nil && size == want
}
