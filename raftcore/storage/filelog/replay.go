package filelog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/internal/mutation"
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

	holes []*hole  // where damage was found; some may hold nothing that lives
	open  *hole    // the last of them, while it is not known what it held
	doubt doubtful // what damage may have changed

	// The last write, which may not be durable, reaches from lastWrite to the end of
	// the last segment of the chain, whose bytes are data. What stands there instead
	// of a next frame is stopped, for the reason cause.
	lastWrite int64
	data      []byte
	stopped   frame
	cause     error

	bugs mutation.Set
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
	stop, cause, err := r.frames(s, data, dataStart, noEnd, func(f frame) error {
		if f.start {
			r.lastWrite = f.offset
		}
		if first {
			first = false
			s.body = f.offset + int64(f.size)
			return r.head(f, prev)
		}
		return r.record(f)
	})
	if err != nil {
		return true, err
	}
	if first {
		r.chain = r.chain[:len(r.chain)-1]
		if prev == nil {
			take(branchHeadless)
			return false, &storage.DamageError{File: s.name, Offset: dataStart, Reason: "the oldest segment has no head: " + cause.Error()}
		}
		return false, nil
	}
	s.end = stop.offset
	r.data, r.stopped, r.cause = data, stop, cause
	return true, nil
}

const noEnd = int64(-1)

// frames reads frames from an offset on up to where the segment's records end, and over
// damage as far as that can be named. end is that place when it is known from elsewhere.
func (r *replay) frames(s *segment, data []byte, from, end int64, visit func(frame) error) (stop frame, cause, err error) {
	sure := end // everything before it had been durable
	for {
		stop, cause = walk(data, s.salt, from, visit)
		if !isFrameError(cause) {
			return stop, cause, r.wrong(s, stop, cause)
		}
		if stop.offset == end {
			return stop, cause, nil
		}
		if end != noEnd && stop.offset > end {
			take(branchTailInside)
			return stop, cause, &storage.DamageError{File: s.name, Offset: end, Reason: "the next segment tells that the records here end in the middle of this one"}
		}
		if end == noEnd && stop.offset >= sure {
			f, found := laterWrite(data, s.salt, stop.offset+1)
			if !found || r.bugs.Has(mutation.CutDamage) {
				return stop, cause, nil
			}
			sure = f.offset
		}
		next, err := r.damaged(s, data, stop, cause, sure)
		if err != nil {
			return stop, cause, err
		}
		from = next
	}
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
	take(branchContradiction)
	return &storage.DamageError{File: s.name, Offset: f.offset, Index: f.entry.Index, Term: f.entry.Term, Reason: cause.Error()}
}

// head checks that a segment follows the one before it without a gap.
func (r *replay) head(f frame, prev *segment) error {
	if f.entry.Kind != kindHead || !f.start {
		take(branchHeadKind)
		return fmt.Errorf("a segment begins with a %s record instead of its head", kindName(f.entry.Kind))
	}
	h, err := parseHead(f.entry)
	if err != nil {
		return err
	}
	if prev == nil {
		take(branchOldest)
		r.history = history{base: h.base, last: h.last, configuration: h.configuration}
		r.missing = h.last.Index
		return nil
	}
	if err := r.tail(prev, h); err != nil {
		return err
	}
	if h.base.Index > r.base.Index && h.base.Index <= r.last.Index && len(r.holes) > 0 {
		take(branchBaseTold)
		r.moveBase(h.base) // the record that did so is damaged
	}
	if h.base != r.base || h.last != r.last {
		take(branchNextDisagrees)
		return fmt.Errorf("the log was (%v, %v] when this segment was begun, but the segments before it hold (%v, %v]", h.base, h.last, r.base, r.last)
	}
	if h.configuration != nil && !bytes.Equal(h.configuration, r.configuration) {
		if len(r.holes) > 0 {
			take(branchConfigTold)
			r.configuration = h.configuration // the record of the other one is damaged
			return nil
		}
		take(branchConfigDisagrees)
		return fmt.Errorf("the configuration as of entry %d was another one when this segment was begun than the segments before it tell", h.base.Index)
	}
	take(branchNextSegment)
	return nil
}

// record follows one record that is not a head.
func (r *replay) record(f frame) error {
	id := f.entry.ID()
	switch {
	case f.entry.Kind < codec.FrameOwnKinds:
		e := f.entry
		if e.Kind == protocol.EntryConfiguration {
			e.Payload = kept(e.Payload)
		}
		return r.entry(e, f.offset)
	case f.entry.Kind == kindBase:
		if err := r.reach(id); err != nil {
			return err
		}
		if id.Index < r.base.Index || id.Index > r.last.Index {
			take(branchBaseBeyond)
			return fmt.Errorf("the base is out of order: the log holds (%d, %d] here", r.base.Index, r.last.Index)
		}
		take(branchBase)
		r.moveBase(id)
		if len(f.entry.Payload) > 0 { // the entry itself may be in a segment that is gone
			r.configuration = kept(f.entry.Payload)
		}
	case f.entry.Kind == kindReset:
		take(branchReset)
		r.history.reset(id, kept(f.entry.Payload))
		r.missing, r.open, r.doubt = id.Index, nil, doubtful{}
		for _, c := range r.chain {
			c.offsets = nil
		}
		cutHoles(r.holes, 0)
	case f.entry.Kind == kindMark:
		if id.Index == 0 {
			take(branchFill)
			return nil
		}
		take(branchMark)
		return r.mark(id)
	default:
		take(branchKindNewer)
		return fmt.Errorf("record kind %d: %w", f.entry.Kind, ErrNewerFormat)
	}
	return nil
}

// entry takes over an entry whose record is, or was, at an offset of the last segment.
func (r *replay) entry(e protocol.Entry, offset int64) error {
	id := e.ID()
	if id.Index <= r.base.Index {
		take(branchEntryBelow)
		return fmt.Errorf("the record is out of order: the log holds (%d, %d] here", r.base.Index, r.last.Index)
	}
	if err := r.resolve(protocol.EntryID{Term: id.Term, Index: id.Index - 1}); err != nil {
		return err
	}
	if id.Index > r.last.Index+1 {
		if err := r.gap(id, offset); err != nil {
			return err
		}
	}
	before := r.last
	if id.Index > before.Index {
		take(branchEntry)
	} else {
		take(branchOverwrite)
	}
	r.history.append(&e)
	if before.Index > id.Index && r.bugs.Has(mutation.GhostEntries) {
		r.last = before
	}
	r.missing = min(r.missing, id.Index-1)
	r.doubt.cut(id.Index)
	cutHoles(r.holes, id.Index)
	placed(r.chain, id.Index, offset)
	return nil
}

// complete checks that no entry above the base is missing, or may be another one.
func (r *replay) complete(dir string) error {
	if r.missing > r.base.Index {
		take(branchEntriesMissing)
		return &storage.DamageError{
			File: dir, Index: r.base.Index + 1,
			Reason: fmt.Sprintf("the segments that held the entries from %d to %d are gone", r.base.Index+1, r.missing),
		}
	}
	if r.open != nil {
		take(branchHoleUntold)
		return r.open.nameless("nothing behind it tells what it held")
	}
	switch {
	case r.doubt.upTo > r.base.Index:
		take(branchDoubtLeft)
		return r.doubt.err
	case r.doubt.err != nil:
		take(branchDoubtForgotten)
	}
	return nil
}
