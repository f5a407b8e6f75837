package filelog

import (
	"fmt"
	"slices"
	"sync"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// Log is a storage.Log on segments. Open gives it.
type Log struct {
	fs   vfs.FS
	dir  string // of the segments
	opts Options

	mu struct {
		sync.Mutex
		history                   // queued operations included
		queue    batch            // what the writer takes next
		tail     []protocol.Entry // entries that are not on disk yet, up to the last
		tailFrom protocol.Index   // of tail[0]; the disk has what is before
		chain    []*segment       // oldest first; the last one is being written
		holes    []*hole          // damaged places with entries that live
		keeper   keeperState
		space    spaceState
		stats    Stats
		err      error // the log has failed with it, for good
		closing  bool
	}
	work    *sync.Cond // the queue has something, or the log closes; on mu
	kept    *sync.Cond // the keeper has something to do, or has done it; on mu
	running sync.WaitGroup
	writer  writer // owned by its goroutine
}

var _ storage.Log = (*Log)(nil)

// batch is a queue of operations. Its slices are used again.
type batch struct {
	ops     []op
	entries []protocol.Entry // what the ops' entries are slices of
	from    protocol.Index   // the lowest index that the ops write
}

// op is one queued operation: entries to insert, or one record of the log's own.
type op struct {
	entries []protocol.Entry
	record  protocol.EntryKind // kindBase, kindReset or kindMark when entries is nil
	id      protocol.EntryID
	repair  *repair // to be written when entries is nil
	payload []byte  // of kindBase and kindReset: the configuration as of the base
	done    func(error)
}

const noIndex = ^protocol.Index(0)

func (b *batch) add(o op) { b.ops = append(b.ops, o) }

// keep is the number of operations and entries for which a batch keeps its memory.
const keep = 4096

func (b *batch) clear() {
	clear(b.ops)
	clear(b.entries)
	if cap(b.ops) > keep || cap(b.entries) > keep {
		*b = batch{}
	}
	b.ops, b.entries, b.from = b.ops[:0], b.entries[:0], noIndex
}

// State implements storage.Log.
func (l *Log) State() protocol.LogState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.state()
}

// Append implements storage.Log. An index outside (Base.Index, Last+1], or entries
// with gaps, are a fault of the caller and panic. done must not wait for Close.
func (l *Log) Append(entries []protocol.Entry, done func(error)) {
	l.mu.Lock()
	if l.mu.closing {
		l.mu.Unlock()
		go done(storage.ErrClosed)
		return
	}
	if wrong := l.check(entries); wrong != "" {
		l.mu.Unlock()
		panic(wrong) // the bug is not in this room, and to go on would lose data
	}
	first := entries[0].Index
	if first < l.mu.tailFrom {
		l.mu.tail, l.mu.tailFrom = l.mu.tail[:0], first
	}
	l.mu.tail = append(l.mu.tail[:first-l.mu.tailFrom], entries...)
	for i := range entries {
		l.mu.append(&entries[i])
	}
	if len(l.mu.holes) > 0 {
		cutHoles(l.mu.holes, first)
		l.mu.holes = living(l.mu.holes, l.mu.base.Index)
	}
	q := &l.mu.queue
	q.from = min(q.from, first)
	at := len(q.entries)
	q.entries = append(q.entries, entries...)
	q.add(op{entries: q.entries[at:], done: done})
	l.mu.Unlock()
	l.work.Signal()
}

// check tells why the entries cannot be appended; it is empty when they can.
func (l *Log) check(entries []protocol.Entry) string {
	if len(entries) == 0 {
		return "append of no entries"
	}
	first := entries[0].Index
	if first <= l.mu.base.Index || first > l.mu.last.Index+1 {
		return fmt.Sprintf("append at %d to a log that holds (%d, %d]", first, l.mu.base.Index, l.mu.last.Index)
	}
	for i := range entries {
		if e := &entries[i]; e.Index != first+protocol.Index(i) || e.Kind >= codec.FrameOwnKinds {
			return fmt.Sprintf("append of entry %d of kind %d at place %d of entries from %d on", e.Index, e.Kind, i, first)
		}
	}
	return ""
}

// Compact implements storage.Log. It keeps a damaged entry, and what follows it, that may be a
// Configuration which only that record told of. The base is durable with the next write; files that
// hold nothing above it get another life then.
func (l *Log) Compact(upTo protocol.Index) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closing {
		return storage.ErrClosed
	}
	if upTo <= l.mu.base.Index {
		return nil
	}
	if upTo <= l.mu.last.Index {
		upTo = compactable(l.mu.holes, upTo)
	}
	if upTo <= l.mu.base.Index {
		return nil
	}
	if upTo > l.mu.last.Index {
		return fmt.Errorf("compact up to %d: the log ends at %d: %w", upTo, l.mu.last.Index, storage.ErrUnavailable)
	}
	id := protocol.EntryID{Term: l.mu.term(upTo), Index: upTo}
	l.mu.compact(id)
	l.mu.holes = living(l.mu.holes, upTo)
	l.mu.queue.add(op{record: kindBase, id: id, payload: l.mu.configuration})
	l.work.Signal()
	return nil
}

// Reset implements storage.Log.
func (l *Log) Reset(base protocol.EntryID, configuration []byte, done func(error)) {
	l.mu.Lock()
	if l.mu.closing {
		l.mu.Unlock()
		go done(storage.ErrClosed)
		return
	}
	l.mu.reset(base, configuration)
	l.mu.holes = nil
	l.mu.tail, l.mu.tailFrom = l.mu.tail[:0], base.Index+1
	l.mu.queue.from = base.Index + 1
	l.mu.queue.add(op{record: kindReset, id: base, payload: configuration, done: done})
	l.mu.Unlock()
	l.work.Signal()
}

// Close implements storage.Log. It gives the error that the log has failed with.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.mu.closing {
		l.mu.Unlock()
		l.running.Wait()
		return nil
	}
	l.mu.queue.add(op{record: kindMark, id: l.mu.last})
	l.mu.closing = true
	l.mu.Unlock()
	l.work.Broadcast()
	l.kept.Broadcast() // the writer may wait for space
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	files := slices.Concat(l.mu.chain, l.mu.keeper.retired)
	if l.mu.keeper.next != nil {
		files = append(files, l.mu.keeper.next)
	}
	for _, s := range files {
		s.use.Lock() // wait for its readers
		s.file.Close()
		s.use.Unlock()
	}
	return l.mu.err
}

// Stats gives counters and the present state.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.mu.stats
	s.Segments = len(l.mu.chain)
	s.Free = len(l.mu.keeper.free)
	s.Ready = l.mu.keeper.next != nil
	s.PrepareErr = l.mu.keeper.err
	s.Reserved = uint64(l.mu.space.held)
	s.Err = l.mu.err
	return s
}
