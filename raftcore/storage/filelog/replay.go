package filelog

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// replay turns segments, read in physical order, into the state of the log. It changes
// nothing on disk.
type replay struct {
	history
	chain []*segment
	// missing is the highest index of an entry that was written before the oldest
	// segment that is left and has not been cut off since. At the end it must not be
	// above the base.
	missing protocol.Index

	// The last write, which may not be durable, reaches from lastWrite to the end of
	// the last segment of the chain, whose bytes are data. What stands there instead
	// of a next frame is stopped, for the reason cause.
	lastWrite int64
	data      []byte
	stopped   frame
	cause     error
}

// segment reads one segment. used is false when it was only prepared: then it does not
// belong to the chain, nor does any that follows.
func (r *replay) segment(s *segment, data []byte) (used bool, err error) {
	if s.salt, err = decodeHeader(s.name, data, s.seq); err != nil {
		return false, err
	}
	var prev *segment
	if n := len(r.chain); n > 0 {
		prev = r.chain[n-1]
	}
	r.chain = append(r.chain, s)
	first := true
	stop, cause := walk(data, s.salt, dataStart, func(f frame) error {
		if f.start {
			r.lastWrite = f.offset
		}
		if first {
			first = false
			return r.head(f, prev)
		}
		return r.record(f)
	})
	if !isFrameError(cause) {
		return true, r.wrong(s, stop, cause)
	}
	if f, found := laterWrite(data, s.salt, stop.offset+1); found {
		return true, &storage.DamageError{
			File: s.name, Offset: stop.offset, Index: stop.entry.Index, Term: stop.entry.Term,
			Reason: fmt.Sprintf("%v, but a later write at offset %d is whole", cause, f.offset),
		}
	}
	if first {
		r.chain = r.chain[:len(r.chain)-1]
		if prev == nil {
			return false, &storage.DamageError{File: s.name, Offset: dataStart, Reason: "the oldest segment has no head: " + cause.Error()}
		}
		return false, nil
	}
	s.end = stop.offset
	r.data, r.stopped, r.cause = data, stop, cause
	return true, nil
}

// wrong names the place of an error that a valid record has led to.
func (r *replay) wrong(s *segment, f frame, cause error) error {
	if errors.Is(cause, ErrNewerFormat) {
		return fmt.Errorf("%s at offset %d: %w", s.name, f.offset, cause)
	}
	var damage *storage.DamageError
	if errors.As(cause, &damage) {
		return cause
	}
	return &storage.DamageError{File: s.name, Offset: f.offset, Index: f.entry.Index, Term: f.entry.Term, Reason: cause.Error()}
}

// head checks that a segment follows the one before it without a gap.
func (r *replay) head(f frame, prev *segment) error {
	if f.entry.Kind != kindHead || !f.start {
		return fmt.Errorf("a segment begins with a %s record instead of its head", kindName(f.entry.Kind))
	}
	h, err := parseHead(f.entry)
	if err != nil {
		return err
	}
	if prev == nil {
		r.history = history{base: h.base, last: h.last}
		r.missing = h.last.Index
		return nil
	}
	if h.prevEnd != prev.end {
		return &storage.DamageError{
			File: prev.name, Offset: prev.end, Index: r.stopped.entry.Index, Term: r.stopped.entry.Term,
			Reason: fmt.Sprintf("%v, but the next segment tells that the records here end at offset %d", r.cause, h.prevEnd),
		}
	}
	if h.base != r.base || h.last != r.last {
		return fmt.Errorf("the log was (%v, %v] when this segment was begun, but the segments before it hold (%v, %v]", h.base, h.last, r.base, r.last)
	}
	return nil
}

// record follows one record that is not a head.
func (r *replay) record(f frame) error {
	id := f.entry.ID()
	switch {
	case f.entry.Kind < codec.FrameOwnKinds:
		if id.Index <= r.base.Index || id.Index > r.last.Index+1 {
			return fmt.Errorf("the record is out of order: the log holds (%d, %d] here", r.base.Index, r.last.Index)
		}
		r.history.append(id)
		r.missing = min(r.missing, id.Index-1)
		placed(r.chain, id.Index, f.offset)
	case f.entry.Kind == kindBase:
		if id.Index < r.base.Index || id.Index > r.last.Index {
			return fmt.Errorf("the base is out of order: the log holds (%d, %d] here", r.base.Index, r.last.Index)
		}
		r.history.compact(id)
	case f.entry.Kind == kindReset:
		r.history.reset(id)
		r.missing = id.Index
		for _, c := range r.chain {
			c.offsets = nil
		}
	case f.entry.Kind == kindMark:
	default:
		return fmt.Errorf("record kind %d: %w", f.entry.Kind, ErrNewerFormat)
	}
	return nil
}

// complete checks that no entry above the base is missing.
func (r *replay) complete(dir string) error {
	if r.missing > r.base.Index {
		return &storage.DamageError{
			File: dir, Index: r.base.Index + 1,
			Reason: fmt.Sprintf("the segments that held the entries from %d to %d are gone", r.base.Index+1, r.missing),
		}
	}
	return nil
}
