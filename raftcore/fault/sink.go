package fault

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/vfs"
)

// SinkOptions tune a Sink. The zero value is good.
type SinkOptions struct {
	Capacity int           // records in memory; default 256
	Patience time.Duration // how long Report, Clear and Close wait for the disk; default 1 s
}

// SinkStats are counts since the process started.
type SinkStats struct {
	Reported uint64 // calls of Report and Note
	Written  uint64 // records made durable
	Failed   uint64 // attempts of the file that failed
	Damaged  uint64 // slots that could not be read when the sink was opened
	Evicted  uint64 // records dropped from memory for newer ones
	LastErr  error  // of the last attempt that failed
}

// Sink is where faults go. All methods may be called from any goroutine.
type Sink struct {
	opts  SinkOptions
	slots slots // of the writer
	wake  chan struct{}
	quit  chan struct{}
	ended chan struct{}

	mu struct {
		sync.Mutex
		entries []*entry // ascending by sequence
		next    uint64   // sequence
		wipe    []chan error
		stats   SinkStats
		closed  bool
	}
}

// errClosed is what Clear gives after Close.
var errClosed = errors.New("the sink of faults is closed")

// Open gives the sink whose file has the name, which is made where it is missing. It
// always gives one: without a usable file the sink keeps faults in memory, and Stats
// tells so.
func Open(fsys vfs.FS, name string, o SinkOptions) *Sink {
	f, err := openFile(fsys, name)
	if err != nil {
		s := NewSink(nil, o)
		s.failed(err)
		return s
	}
	return NewSink(f, o)
}

func openFile(fsys vfs.FS, name string) (vfs.File, error) {
	f, err := fsys.OpenReadWrite(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if f, err = fsys.Create(name); err != nil {
		return nil, err
	}
	return f, fsys.SyncDir(path.Dir(name))
}

// NewSink makes a sink on an open file, or one that has only memory when f is nil. It
// reads what the file holds and makes it as long as it must be. Where f is an
// io.Closer, Close closes it.
func NewSink(f File, o SinkOptions) *Sink {
	o.Capacity = cmp.Or(o.Capacity, 256)
	o.Patience = cmp.Or(o.Patience, time.Second)
	s := &Sink{
		opts: o, slots: slots{file: f},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	s.mu.next = 1
	if f == nil {
		close(s.ended)
		return s
	}
	s.load()
	go s.run()
	return s
}

func (s *Sink) load() {
	es, damaged, err := s.slots.load()
	if err == nil {
		err = s.slots.prepare()
	}
	if err != nil {
		s.failed(err)
	}
	slices.SortFunc(es, func(a, b *entry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if len(es) > 0 {
		s.mu.next = es[len(es)-1].Sequence + 1
	}
	s.mu.entries = es
	s.mu.stats.Damaged = uint64(damaged)
}

// Report takes a fault that the member cannot go on with. It returns when the fault
// is on disk, when writing it failed, or after Patience.
func (s *Sink) Report(f *Fault) {
	if e := s.add(f, true); e != nil {
		s.await(e.done)
	}
}

// Note takes a fault that the member lives with, and returns at once. One that equals a
// fault that was noted before, and is not over, is only counted.
func (s *Sink) Note(f *Fault) { s.add(f, false) }

func (s *Sink) add(f *Fault, unrecoverable bool) *entry {
	if f == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stats.Reported++
	if !unrecoverable {
		if e := s.known(f); e != nil {
			e.Count++
			e.Last = f.At.UTC()
			return e
		}
	}
	e := newEntry(Record{
		Sequence: s.mu.next, Kind: f.Kind, Message: f.Message, At: f.At.UTC(), Last: f.At.UTC(),
		Unrecoverable: unrecoverable, Count: 1,
	})
	s.mu.next++
	s.mu.entries = append(s.mu.entries, e)
	s.evict()
	s.kick()
	return e
}

// known gives the entry of an equal fault that was noted by this process.
func (s *Sink) known(f *Fault) *entry {
	i := slices.IndexFunc(s.mu.entries, func(e *entry) bool {
		return !e.Unrecoverable && !e.Resolved && e.Kind == f.Kind && e.Message == f.Message
	})
	if i < 0 {
		return nil
	}
	return s.mu.entries[i]
}

// evict keeps the memory bounded: the oldest fault that the member lives with goes, or
// the oldest of all where there is none.
func (s *Sink) evict() {
	for len(s.mu.entries) > s.opts.Capacity {
		i := max(0, slices.IndexFunc(s.mu.entries, func(e *entry) bool { return !e.Unrecoverable }))
		s.mu.entries[i].tried()
		s.mu.entries = slices.Delete(s.mu.entries, i, i+1)
		s.mu.stats.Evicted++
	}
}

// List gives what is known, ascending by sequence.
func (s *Sink) List() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs := make([]Record, len(s.mu.entries))
	for i, e := range s.mu.entries {
		rs[i] = e.Record
	}
	return rs
}

// Unrecoverable gives the latest unrecoverable fault that is not resolved.
func (s *Sink) Unrecoverable() (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.mu.entries) {
		if e.Unrecoverable && !e.Resolved {
			return e.Record, true
		}
	}
	return Record{}, false
}

// RanWell resolves the unrecoverable faults whose remedy is a restart: the caller was
// restarted and has been well for as long as it finds convincing. They stay in the
// list. It returns at once.
func (s *Sink) RanWell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.mu.entries {
		if e.Unrecoverable && !e.Resolved && e.Kind.Remedy() == Restart {
			e.Resolved, e.Persisted, e.dirty = true, false, true
		}
	}
	s.kick()
}

// Recovered resolves what was noted of a kind: it is over, without a restart. It stays in
// the list. It returns at once.
func (s *Sink) Recovered(k Kind, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.mu.entries {
		if !e.Unrecoverable && !e.Resolved && e.Kind == k {
			e.Resolved, e.Last, e.Persisted, e.dirty = true, at.UTC(), false, true
		}
	}
	s.kick()
}

// Clear forgets all faults, in memory at once and then on disk. An error tells that
// the file may still have them: a restarted process may see them again.
func (s *Sink) Clear() error {
	done := make(chan error, 1)
	s.mu.Lock()
	for _, e := range s.mu.entries {
		e.tried()
	}
	s.mu.entries = nil
	closed := s.mu.closed
	if s.slots.file != nil && !closed {
		s.mu.wipe = append(s.mu.wipe, done)
		s.kick()
	} else {
		done <- nil
	}
	s.mu.Unlock()
	if closed {
		return errClosed
	}
	timer := time.NewTimer(s.opts.Patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("clearing the faults file takes longer than %v", s.opts.Patience)
	}
}

// Stats gives the counts.
func (s *Sink) Stats() SinkStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.stats
}

// Close writes what is not written yet and closes the file. It gives up after Patience,
// with an error; then the file stays open. Reports after it stay in memory.
func (s *Sink) Close() error {
	s.mu.Lock()
	if !s.mu.closed {
		s.mu.closed = true
		close(s.quit)
	}
	s.mu.Unlock()
	if !s.await(s.ended) {
		return fmt.Errorf("writing the faults file takes longer than %v", s.opts.Patience)
	}
	return nil
}

// await waits for c, but not longer than Patience; it gives whether c was first.
func (s *Sink) await(c <-chan struct{}) bool {
	timer := time.NewTimer(s.opts.Patience)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}

// kick wakes the writer. Where none is, nobody shall wait for it. The caller holds
// the lock.
func (s *Sink) kick() {
	if s.slots.file == nil || s.mu.closed {
		for _, e := range s.mu.entries {
			e.tried()
		}
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sink) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.stats.Failed++
	s.mu.stats.LastErr = err
}

// run is the writer.
func (s *Sink) run() {
	defer close(s.ended)
	for {
		select {
		case <-s.wake:
			s.flush()
		case <-s.quit:
			s.flush()
			if c, ok := s.slots.file.(io.Closer); ok {
				if err := c.Close(); err != nil {
					s.failed(err)
				}
			}
			return
		}
	}
}

// job is an entry to be written, as it was when the writer looked.
type job struct {
	entry  *entry
	record Record
	slot   int
	err    error
}

// flush clears the file when that was asked for, then writes each dirty entry once.
func (s *Sink) flush() {
	wipes, jobs := s.work()
	if len(wipes) > 0 {
		err := s.slots.wipe()
		if err != nil {
			s.failed(err)
		}
		for _, c := range wipes {
			c <- err
		}
	}
	if len(jobs) == 0 {
		return
	}
	for i := range jobs {
		j := &jobs[i]
		j.slot = s.slots.place(j.record, j.slot)
		j.err = s.slots.put(j.slot, j.record)
	}
	err := s.slots.sync()
	for _, j := range jobs {
		s.settle(j, cmp.Or(j.err, err))
	}
}

// work takes what there is to do.
func (s *Sink) work() (wipes []chan error, jobs []job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wipes, s.mu.wipe = s.mu.wipe, nil
	for _, e := range s.mu.entries {
		if e.dirty {
			jobs = append(jobs, job{entry: e, record: e.Record, slot: e.slot})
		}
	}
	return wipes, jobs
}

// settle notes what became of a job. The entry may have changed since, then it stays
// dirty, or may have been forgotten.
func (s *Sink) settle(j job, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer j.entry.tried()
	for _, e := range s.mu.entries {
		if e != j.entry && e.slot == j.slot {
			e.slot, e.Persisted = -1, false // it was overwritten
		}
	}
	j.entry.slot = j.slot
	if err != nil {
		s.mu.stats.Failed++
		s.mu.stats.LastErr = err
		return
	}
	s.mu.stats.Written++
	if j.entry.Resolved == j.record.Resolved {
		j.entry.dirty, j.entry.Persisted = false, true
	}
}
