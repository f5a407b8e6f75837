package filelog

import (
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// Read implements storage.Log. Entries that are not on disk yet come from memory. The
// payloads of entries that were read from one file share memory.
func (l *Log) Read(lo, hi protocol.Index, maxBytes int) ([]protocol.Entry, error) {
	var got []protocol.Entry
	size := 0
	for index := lo; index <= hi; {
		more, err := l.readSome(index, hi, maxBytes-size, len(got) == 0)
		if err != nil && len(got) > 0 && (errors.Is(err, storage.ErrCompacted) || isDamage(err)) {
			return got, nil // the base has moved past us meanwhile, or here is a damaged one
		}
		if err != nil {
			return nil, err
		}
		if len(more) == 0 {
			break
		}
		if got == nil {
			got = more
		} else {
			got = append(got, more...)
		}
		size += protocol.Size(more)
		index += protocol.Index(len(more))
	}
	return got, nil
}

// readSome reads from one place: memory, or one file. Without force it may give
// nothing when not even one entry fits.
func (l *Log) readSome(lo, hi protocol.Index, maxBytes int, force bool) ([]protocol.Entry, error) {
	l.mu.Lock()
	if err := l.readable(lo, hi); err != nil {
		l.mu.Unlock()
		return nil, err
	}
	if lo >= l.mu.tailFrom {
		n := fitting(l.mu.tail[lo-l.mu.tailFrom:hi+1-l.mu.tailFrom], maxBytes, force)
		got := append([]protocol.Entry(nil), l.mu.tail[lo-l.mu.tailFrom:][:n]...)
		l.mu.Unlock()
		return got, nil
	}
	whole, err := l.beforeDamage(lo, min(hi, l.mu.tailFrom-1))
	if err != nil {
		l.mu.Unlock()
		return nil, err
	}
	r, err := l.locate(lo, whole, maxBytes, force)
	l.mu.Unlock()
	if err != nil || len(r.offsets) == 0 {
		return nil, err
	}
	defer r.segment.use.RUnlock()
	got, err := r.read()
	if isDamage(err) {
		l.found(r.segment, lo)
	}
	return got, err
}

func (l *Log) readable(lo, hi protocol.Index) error {
	switch {
	case l.mu.closing:
		return storage.ErrClosed
	case lo <= l.mu.base.Index:
		return fmt.Errorf("read from %d: the log begins after %d: %w", lo, l.mu.base.Index, storage.ErrCompacted)
	case hi > l.mu.last.Index:
		return fmt.Errorf("read up to %d: the log ends at %d: %w", hi, l.mu.last.Index, storage.ErrUnavailable)
	}
	return nil
}

// fitting tells how many of the entries fit.
func fitting(entries []protocol.Entry, maxBytes int, force bool) int {
	size := 0
	for i, e := range entries {
		size += e.Size()
		if size > maxBytes && !(force && i == 0) {
			return i
		}
	}
	return len(entries)
}

// extent is a run of entries in one file, which is held for reading.
type extent struct {
	segment *segment
	lo      protocol.Index
	offsets []uint32 // of the entries
	end     int64    // where the last one's frame ends, or later
	size    int      // bytes allowed, by Entry.Size
	force   bool
}

// locate finds the run that begins at lo. Offsets tell how long a frame is at most, so
// that no more is read than is likely to fit.
func (l *Log) locate(lo, hi protocol.Index, maxBytes int, force bool) (extent, error) {
	if !force && maxBytes < codec.FrameOverhead {
		return extent{}, nil
	}
	s := find(l.mu.chain, lo)
	if s == nil {
		return extent{}, &storage.DamageError{File: l.dir, Index: lo, Reason: "the index has no place for the entry"}
	}
	last, _ := s.last()
	run := s.offsets[lo-s.first : min(hi, last)+1-s.first]
	after := s.offsets[lo-s.first:]
	n, end := 0, s.end
	for n < len(run) {
		end = s.end
		if n+1 < len(after) {
			end = int64(after[n+1])
		}
		n++
		if end-int64(run[0]) > int64(maxBytes) {
			break // this one may be too long; read looks
		}
	}
	s.use.RLock() // never waits: it is given away only after it left the chain
	return extent{segment: s, lo: lo, offsets: append([]uint32(nil), run[:n]...), end: end, size: maxBytes, force: force}, nil
}

func (x extent) read() ([]protocol.Entry, error) {
	from := int64(x.offsets[0])
	buf := make([]byte, x.end-from)
	if n, err := x.segment.file.ReadAt(buf, from); err != nil && !(err == io.EOF && n == len(buf)) {
		return nil, fmt.Errorf("read %d bytes of entries from %d on: %w", len(buf), x.lo, err)
	}
	got := make([]protocol.Entry, 0, len(x.offsets))
	for i, offset := range x.offsets {
		at := int64(offset)
		e, _, _, err := placeOf(x.segment.salt, at).ParseFrame(buf[at-from:])
		if err == nil && e.Index != x.lo+protocol.Index(i) {
			err = fmt.Errorf("the record is that of entry %d", e.Index)
		}
		if err != nil && i > 0 {
			break // whoever reads on will meet it
		}
		if err != nil {
			return nil, damage(x.segment.name, at, x.lo, e, err)
		}
		x.size -= e.Size()
		if x.size < 0 && !(x.force && i == 0) {
			break
		}
		got = append(got, e)
	}
	return got, nil
}

// damage names a record whose index is known from elsewhere.
func damage(file string, offset int64, index protocol.Index, e protocol.Entry, cause error) *storage.DamageError {
	d := &storage.DamageError{File: file, Offset: offset, Index: index, Reason: cause.Error()}
	if !errors.Is(cause, codec.ErrFrameHeader) {
		d.Term = e.Term
	}
	return d
}
