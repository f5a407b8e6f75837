package filelog

import (
	"fmt"
	"runtime"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// writer is the log's own goroutine: it takes everything that is queued, frames it
// into one buffer, writes it with one write and one sync, and calls the done functions.
// One write is on its way at any time; what comes meanwhile is the next one.
type writer struct {
	log    *Log
	batch  batch    // being written
	active *segment // the last of the chain
	state  history  // as of the records in buf; terms and configurations above the base are not kept

	buf      []byte // frames for active.end
	places   []place
	entries  int // in buf
	framed   int // so many operations of the batch are framed as a whole
	answered int // so many of them had their done called
}

// place is what a write changes in the chain's index when it is durable.
type place struct {
	index  protocol.Index // 0: a reset, everything is gone
	offset int64
}

// maxBuffer is the buffer that is kept from one write to the next.
const maxBuffer = 4 << 20

func (w *writer) run() {
	defer w.log.running.Done()
	for w.take() {
		err := w.write()
		w.finish(err)
	}
	w.log.stopKeeper()
}

// take waits for operations; it gives false when the log is closed and all is done.
func (w *writer) take() bool {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.queue.ops) == 0 && !l.mu.closing {
		l.work.Wait()
		l.mu.Unlock()
		runtime.Gosched() // let the caller queue what else it has: one sync instead of two
		l.mu.Lock()
	}
	w.batch, l.mu.queue = l.mu.queue, w.batch
	w.framed, w.answered = 0, 0
	return len(w.batch.ops) > 0
}

// write frames and writes the batch. The done functions that have not been called
// when it gives an error are called by finish.
func (w *writer) write() error {
	if err := w.log.failed(); err != nil {
		return err
	}
	for i := range w.batch.ops {
		o := &w.batch.ops[i]
		err := w.add(o)
		if err != nil && o.repair != nil && repairFailed(err) {
			o.fail(err)
			err = nil
		}
		if err != nil {
			return err
		}
		w.framed++
	}
	return w.flush()
}

// fail lets an operation end with an error of its own.
func (o *op) fail(err error) {
	done := o.done
	o.done = func(error) { done(err) }
}

func (w *writer) add(o *op) error {
	switch o.record {
	case kindMark:
		if err := w.flush(); err != nil { // it vouches for what is durable already
			return err
		}
		if w.fits(codec.FrameOverhead) { // it is only an aid; no new file for it
			w.frame(idRecord(kindMark, w.state.last))
		}
		return nil
	case kindBase, kindReset:
		record := idRecord(o.record, o.id)
		record.Payload = o.payload
		if err := w.put(record); err != nil {
			return err
		}
		w.apply(o)
	}
	if o.repair != nil {
		return w.repair(o.repair)
	}
	for _, e := range o.entries {
		if len(e.Payload) > codec.MaxPayload {
			return fmt.Errorf("entry %d has %d bytes, more than the %d that the log can hold", e.Index, len(e.Payload), codec.MaxPayload)
		}
		if err := w.put(e); err != nil {
			return err
		}
		w.state.last = e.ID()
		w.entries++
	}
	return nil
}

func (w *writer) apply(o *op) {
	if o.record == kindReset {
		w.state.reset(o.id, o.payload)
		w.places = append(w.places, place{})
		return
	}
	w.state.base, w.state.configuration = o.id, o.payload
}

// put frames a record, in the next segment when the present one is full.
func (w *writer) put(e protocol.Entry) error {
	if !w.fits(len(e.Payload) + codec.FrameOverhead) {
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.rotate(); err != nil {
			return err
		}
	}
	offset := w.frame(e)
	if e.Kind < codec.FrameOwnKinds {
		w.places = append(w.places, place{index: e.Index, offset: offset})
	}
	return nil
}

// fits reports whether a frame has room in the active segment. A segment that has only
// its head takes any frame, so that entries may be larger than segments.
func (w *writer) fits(size int) bool {
	at := w.active.end + int64(len(w.buf))
	return at+int64(size) <= w.log.opts.SegmentSize || at <= w.active.body
}

func (w *writer) frame(e protocol.Entry) (offset int64) {
	var flags uint8
	if len(w.buf) == 0 {
		flags = flagStart
	}
	offset = w.active.end + int64(len(w.buf))
	w.buf = placeOf(w.active.salt, offset).AppendFrame(w.buf, flags, e)
	return offset
}

// rotate goes on in the next segment. Its head becomes a part of the first write there.
func (w *writer) rotate() error {
	next, err := w.log.nextSegment()
	if err != nil {
		return fmt.Errorf("the next log file: %w", err)
	}
	h := head{base: w.state.base, last: w.state.last, prevEnd: w.active.end, configuration: w.state.configuration}
	w.active = next
	w.frame(h.record())
	next.body = next.end + int64(len(w.buf))
	return nil
}

// flush makes the buffer durable and calls the done functions of what is in it.
func (w *writer) flush() error {
	if len(w.buf) == 0 {
		w.answer(w.framed, nil)
		return nil
	}
	if end := w.active.end + int64(len(w.buf)); end > w.log.opts.SegmentSize {
		if err := w.log.extend(w.active, end); err != nil {
			return fmt.Errorf("make %s longer: %w", w.active.name, err)
		}
	}
	start := time.Now()
	if _, err := w.active.file.WriteAt(w.buf, w.active.end); err != nil {
		return fmt.Errorf("write %d bytes at offset %d of %s: %w", len(w.buf), w.active.end, w.active.name, err)
	}
	written := time.Now()
	err := w.active.file.Sync()
	if err != nil && w.log.opts.bugs.Has(mutation.FsyncRetried) {
		err = w.active.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", w.active.name, err)
	}
	f := Flush{Entries: w.entries, Bytes: len(w.buf), Write: written.Sub(start), Sync: time.Since(written)}
	w.log.install(w, f)
	if w.log.opts.OnFlush != nil {
		w.log.opts.OnFlush(f)
	}
	w.buf, w.places, w.entries = w.buf[:0], w.places[:0], 0
	if cap(w.buf) > maxBuffer {
		w.buf = nil
	}
	w.answer(w.framed, nil)
	return nil
}

// answer calls the done functions of the batch's operations up to the number upTo.
func (w *writer) answer(upTo int, err error) {
	for ; w.answered < upTo; w.answered++ {
		if done := w.batch.ops[w.answered].done; done != nil {
			done(err)
		}
	}
}

// finish ends a batch. With an error the log has failed for good: nothing that was
// not told to be durable by now will ever be.
func (w *writer) finish(err error) {
	l := w.log
	l.mu.Lock()
	if err == nil {
		l.trimTail()
	} else if l.mu.err == nil {
		l.mu.err = err
	}
	l.mu.Unlock()
	w.answer(len(w.batch.ops), err)
	w.batch.clear()
	l.tend()
}

// install takes over what a write has changed, once it is durable.
func (l *Log) install(w *writer, f Flush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range w.places {
		if p.index == 0 {
			for _, s := range l.mu.chain {
				s.offsets = nil
			}
			continue
		}
		placed(l.mu.chain, p.index, p.offset)
	}
	w.active.end += int64(len(w.buf))
	l.retire(w.state.base.Index)

	st := &l.mu.stats
	st.Flushes++
	st.Entries += uint64(f.Entries)
	st.Bytes += uint64(f.Bytes)
	st.LastSync = f.Sync
	st.MaxSync = max(st.MaxSync, f.Sync)
}

// trimTail forgets the entries that are on disk now: all before the lowest index that
// the queue writes.
func (l *Log) trimTail() {
	from := min(l.mu.queue.from, l.mu.last.Index+1)
	if from <= l.mu.tailFrom {
		return
	}
	rest := l.mu.tail[from-l.mu.tailFrom:]
	if cap(l.mu.tail) > keep && len(rest) < keep {
		l.mu.tail = append([]protocol.Entry(nil), rest...)
	} else {
		n := copy(l.mu.tail, rest)
		clear(l.mu.tail[n:])
		l.mu.tail = l.mu.tail[:n]
	}
	l.mu.tailFrom = from
}

// failed gives the error that the log has failed with.
func (l *Log) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}
