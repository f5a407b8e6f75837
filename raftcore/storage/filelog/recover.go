package filelog

import (
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// openLog recovers the log of a directory and starts it. The steps are those of the
// package comment.
func openLog(fsys vfs.FS, dir string, o Options) (l *Log, err error) {
	r, unused, err := replayDir(fsys, dir, o.bugs)
	if r != nil {
		defer func() {
			if err != nil {
				closeAll(append(r.chain, unused...))
			}
		}()
	}
	if err != nil {
		return nil, err
	}
	if err := demote(fsys, dir, unused); err != nil {
		return nil, err
	}
	if err := settle(r, o); err != nil {
		return nil, err
	}
	if err := fsys.SyncDir(dir); err != nil { // a process that was killed may not have
		return nil, err
	}
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	free, err := openFree(fsys, dir, names, o)
	if err != nil {
		return nil, err
	}
	held, err := openReserve(fsys, dir, o)
	if err != nil {
		return nil, err
	}
	return start(fsys, dir, o, r, free, held), nil
}

// replayDir reads all segments of a directory. It changes nothing. Segments that were
// prepared but never written are given apart. What it opened is given also when it
// fails.
func replayDir(fsys vfs.FS, dir string, bugs mutation.Set) (*replay, []*segment, error) {
	seqs, err := listSegments(fsys, dir)
	if err != nil {
		return nil, nil, err
	}
	r := &replay{bugs: bugs}
	var unused []*segment
	var buffers [2][]byte // the data of the last used segment, and that of the next one
	next := 0
	for i, seq := range seqs {
		s := &segment{seq: seq, name: dir + "/" + segmentName(seq)}
		if i > 0 && seq != seqs[i-1]+1 {
			take(branchSegmentMissing)
			return r, unused, &storage.DamageError{File: dir + "/" + segmentName(seqs[i-1]+1), Reason: "the segment is missing"}
		}
		if buffers[next], err = openSegment(fsys, s, buffers[next]); err != nil {
			return r, unused, err
		}
		used, err := r.segment(s, buffers[next])
		if used {
			next = 1 - next
		} else {
			take(branchPrepared)
			unused = append(unused, s)
		}
		if err != nil {
			return r, unused, err
		}
		if used && len(unused) > 0 {
			take(branchPreparedBefore)
			gap := unused[0]
			return r, unused, &storage.DamageError{File: gap.name, Offset: dataStart, Reason: "the segment has no records, but the one after it has"}
		}
	}
	return r, unused, r.complete(dir)
}

func listSegments(fsys vfs.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var seqs []uint64
	for _, name := range names {
		if seq, ok := parseSeq(name, segmentSuffix); ok {
			seqs = append(seqs, seq)
		}
	}
	if len(seqs) == 0 {
		take(branchNoSegment)
		return nil, &storage.DamageError{File: dir, Reason: "there is no segment of the log"}
	}
	sort.Slice(seqs, func(i, j int) bool { return seqs[i] < seqs[j] })
	return seqs, nil
}

// openSegment opens a segment and reads all of it, into buf when that is large enough.
func openSegment(fsys vfs.FS, s *segment, buf []byte) ([]byte, error) {
	var err error
	if s.file, err = fsys.OpenReadWrite(s.name); err != nil {
		return nil, err
	}
	size, err := s.file.Size()
	if err != nil {
		return nil, err
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := s.file.ReadAt(buf, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	return buf, nil
}

// demote takes their names from segments that were only prepared: a torn write may be
// in them, and only a new life makes sure that it never counts.
func demote(fsys vfs.FS, dir string, unused []*segment) error {
	for len(unused) > 0 {
		s := unused[len(unused)-1] // the newest first, so that no gap can be seen
		unused = unused[:len(unused)-1]
		name := fmt.Sprintf("%s/%016x%s", dir, s.salt, freeSuffix)
		if err := fsys.Rename(s.name, name); err != nil {
			return err
		}
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
		s.file.Close()
	}
	return nil
}

// settle makes what was recovered durable, and what is behind it harmless.
func settle(r *replay, o Options) error {
	s := r.chain[len(r.chain)-1]
	if leftovers(r.data, s.salt, s.end) {
		if r.stopped.size == 0 {
			take(branchTornHeader)
		} else {
			take(branchTornPayload)
		}
		if err := vfs.Zero(s.file, s.end, int64(len(r.data))); err != nil {
			return fmt.Errorf("clear the torn end of %s: %w", s.name, err)
		}
	} else {
		take(branchClean)
	}
	if !o.bugs.Has(mutation.DropTailAfterFsyncFailure) {
		take(branchRewritten)
		if err := writeSynced(s, r.data[r.lastWrite:s.end], r.lastWrite); err != nil {
			return err
		}
	}
	// The mark is a write of its own: it must not be there before what it vouches for.
	if s.end+codec.FrameOverhead <= max(o.SegmentSize, int64(len(r.data))) {
		mark := placeOf(s.salt, s.end).AppendFrame(nil, flagStart, idRecord(kindMark, r.last))
		if err := writeSynced(s, mark, s.end); err != nil {
			return err
		}
		s.end += int64(len(mark))
	} else {
		take(branchSegmentFull)
	}
	r.data = nil
	return nil
}

func writeSynced(s *segment, p []byte, at int64) error {
	if _, err := s.file.WriteAt(p, at); err != nil {
		return fmt.Errorf("write the end of %s: %w", s.name, err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.name, err)
	}
	return nil
}

func start(fsys vfs.FS, dir string, o Options, r *replay, free []string, held int64) *Log {
	l := &Log{fs: fsys, dir: dir, opts: o}
	l.work, l.kept = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	l.mu.history = r.history
	l.mu.queue.from = noIndex
	l.mu.tailFrom = r.last.Index + 1
	l.mu.chain = r.chain
	l.mu.holes = living(r.holes, r.base.Index)
	active := r.chain[len(r.chain)-1]
	l.mu.keeper = keeperState{seq: active.seq + 1, wanted: true, free: free}
	l.mu.space = spaceState{held: held, wanted: held < o.Reserve}
	l.writer = writer{log: l, active: active, state: history{base: r.base, last: r.last, configuration: r.configuration}}
	l.writer.batch.from = noIndex

	l.mu.Lock()
	l.retire(r.base.Index)
	l.mu.Unlock()
	l.running.Add(1)
	go l.writer.run()
	if !o.foreground {
		l.running.Add(1)
		go l.runKeeper()
	}
	return l
}

func closeAll(segments []*segment) {
	for _, s := range segments {
		if s.file != nil {
			s.file.Close()
		}
	}
}
