package filelog

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// hole is a place in a segment where whole frames had been durable, and are not whole any
// more. What it held that still lives is known by name, and is written again into the same
// bytes: a frame never changes its length.
type hole struct {
	segment  *segment
	from, to int64
	cause    error
	// frame is the frame's header when it holds: then the hole is that one frame.
	frame   *frame
	entries []protocol.EntryID // that it held and that live; contiguous
	arrived []protocol.Entry   // for each of them; of Kind 0 while it has not come
	// configures tells that it may have held a Configuration that nobody here knows: the base
	// must not go past it.
	configures bool
}

// damage is the error that names one of the hole's entries.
func (h *hole) damage(id protocol.EntryID) *storage.DamageError {
	return &storage.DamageError{File: h.segment.name, Offset: h.from, Index: id.Index, Term: id.Term, Reason: h.cause.Error()}
}

// nameless is the error for a hole of which it is not certain what it held.
func (h *hole) nameless(why string) *storage.DamageError {
	d := &storage.DamageError{
		File: h.segment.name, Offset: h.from,
		Reason: fmt.Sprintf("%v, in the %d bytes up to a whole frame, and %s", h.cause, h.to-h.from, why),
	}
	if h.frame != nil {
		d.Index, d.Term = h.frame.entry.Index, h.frame.entry.Term
	}
	return d
}

// holds gives the place of an entry in the hole, -1 when it is not one of its entries.
func (h *hole) holds(index protocol.Index) int {
	if len(h.entries) == 0 || index < h.entries[0].Index || index > h.entries[len(h.entries)-1].Index {
		return -1
	}
	return int(index - h.entries[0].Index)
}

// cutHoles forgets the entries from an index on in all holes.
func cutHoles(holes []*hole, index protocol.Index) {
	for _, h := range holes {
		if len(h.entries) > 0 && h.entries[len(h.entries)-1].Index >= index {
			n := max(0, int(index)-int(h.entries[0].Index))
			h.entries = h.entries[:n]
			h.arrived = h.arrived[:min(n, len(h.arrived))]
		}
	}
}

// living gives the holes with entries above the base, and only these entries.
func living(holes []*hole, base protocol.Index) []*hole {
	var alive []*hole
	for _, h := range holes {
		n := 0
		for n < len(h.entries) && h.entries[n].Index <= base {
			n++
		}
		h.entries = h.entries[n:]
		h.arrived = h.arrived[min(n, len(h.arrived)):]
		if len(h.entries) > 0 {
			alive = append(alive, h)
		}
	}
	return alive
}

// compactable gives how far the base may go when it is asked to go to upTo.
func compactable(holes []*hole, upTo protocol.Index) protocol.Index {
	for _, h := range holes {
		if h.configures {
			upTo = min(upTo, h.entries[0].Index-1)
		}
	}
	return upTo
}

// doubtful tells that the entries in (from, upTo] may be others than those that were read,
// because damage hides what has changed them. It is harmless when the base is beyond them, or
// when they were cut off later.
type doubtful struct {
	from, upTo protocol.Index
	err        error
}

func (d *doubtful) add(from, upTo protocol.Index, err error) {
	if upTo <= from {
		return
	}
	if d.err == nil {
		*d = doubtful{from, upTo, err}
		return
	}
	d.from, d.upTo = min(d.from, from), max(d.upTo, upTo)
}

// cut tells that the entries from an index on are replaced.
func (d *doubtful) cut(index protocol.Index) {
	if d.upTo = min(d.upTo, index-1); d.err != nil && d.upTo <= d.from {
		take(branchDoubtCut)
		*d = doubtful{}
	}
}

// damaged takes over a place where a frame does not hold though it had been durable, as
// all before sure, and gives where to go on.
func (r *replay) damaged(s *segment, data []byte, stop frame, cause error, sure int64) (next int64, err error) {
	if len(s.offsets) == 0 && stop.offset == dataStart {
		take(branchHoleHead)
		return 0, &storage.DamageError{File: s.name, Offset: stop.offset, Reason: fmt.Sprintf("the head of the segment: %v, but a later write at offset %d is whole", cause, sure)}
	}
	next = stop.offset + int64(stop.size)
	if errors.Is(cause, codec.ErrFramePayload) && next <= sure {
		switch kind := stop.entry.Kind; {
		case kind < codec.FrameOwnKinds:
			named := protocol.Entry{Term: stop.entry.Term, Index: stop.entry.Index} // its payload is nobody's
			if err := r.entry(named, stop.offset); err != nil {
				take(branchHoleContradicts)
				return 0, r.wrong(s, stop, fmt.Errorf("%w, and %w", cause, err))
			}
			take(branchHoleNamed)
			r.holes = append(r.holes, &hole{segment: s, from: stop.offset, to: next, cause: cause, frame: &stop, entries: []protocol.EntryID{stop.entry.ID()}, configures: kind == protocol.EntryConfiguration})
			return next, nil
		case kind != kindHead && stop.size == codec.FrameOverhead:
			if err := r.record(stop); err != nil { // all that it says is in its header
				take(branchHoleOwnWrong)
				return 0, r.wrong(s, stop, fmt.Errorf("%w, and %w", cause, err))
			}
			take(branchHoleOwn)
			return next, nil
		}
	}
	if f, found := search(data[:sure], s.salt, stop.offset+1, func(_ frame, err error) bool { return err == nil }); found {
		take(branchHoleToFrame)
		next = f.offset
	} else {
		take(branchHoleToWrite)
		next = sure
	}
	h := &hole{segment: s, from: stop.offset, to: next, cause: cause, configures: true}
	if r.open != nil {
		take(branchHoleSecond)
		return 0, h.nameless("there is another such place before it")
	}
	r.holes, r.open = append(r.holes, h), h
	return next, nil
}

// tail reads what is behind the whole frames of a segment, when the segment after it, whose
// head is h, tells that its records end later.
func (r *replay) tail(s *segment, h head) error {
	if h.prevEnd < s.end || h.prevEnd > int64(len(r.data)) {
		take(branchTailImpossible)
		return &storage.DamageError{
			File: s.name, Offset: s.end, Index: r.stopped.entry.Index, Term: r.stopped.entry.Term,
			Reason: fmt.Sprintf("%v, but the next segment tells that the records here end at offset %d", r.cause, h.prevEnd),
		}
	}
	chain := r.chain // its last segment has only its head yet
	defer func() { r.chain = chain }()
	r.chain = chain[:len(chain)-1]
	if h.prevEnd > s.end {
		take(branchTailLost)
		if _, _, err := r.frames(s, r.data, s.end, h.prevEnd, r.record); err != nil {
			return err
		}
		s.end = h.prevEnd
	}
	return r.resolve(h.last)
}

// reach fills an open hole with entries of the term up to an index. They are those that it
// held if the entry before it is of the same term: all entries of a term come from one
// leader's log, in which they stand together, and whoever has two of them has all that
// is between (paper section 5.3, Log Matching).
func (r *replay) reach(id protocol.EntryID) error {
	h := r.open
	if h == nil || id.Index <= r.last.Index {
		return nil
	}
	if n := int64(id.Index - r.last.Index); n > (h.to-h.from)/codec.FrameOverhead {
		take(branchHoleNoRoom)
		return h.nameless(fmt.Sprintf("the %d entries up to %d have no room in it", n, id.Index))
	}
	if r.last.Term != id.Term {
		take(branchHoleTerm)
		r.uncertain(h, id)
	}
	take(branchHoleFilled)
	r.fill(id.Index, h.from, func(e protocol.EntryID) { h.entries = append(h.entries, e) })
	return nil
}

// resolve closes an open hole: behind it the log has the entry id. Within it entries may
// have been cut off and replaced, but by the same ones up to one of the same term.
func (r *replay) resolve(id protocol.EntryID) error {
	h := r.open
	if h == nil {
		return nil
	}
	if err := r.reach(id); err != nil {
		return err
	}
	if id.Index < r.base.Index || r.history.term(id.Index) != id.Term {
		take(branchHoleReplaced)
		r.uncertain(h, id)
	}
	r.open = nil
	return nil
}

// mark closes an open hole: behind it the log ends in id.
func (r *replay) mark(id protocol.EntryID) error {
	if r.open != nil && id.Index < r.last.Index {
		take(branchHoleCut)
		r.uncertain(r.open, id) // entries were cut off in it, and none put in their place
	}
	return r.resolve(id)
}

// uncertain tells that an open hole may have changed all that is above the base.
func (r *replay) uncertain(h *hole, id protocol.EntryID) {
	r.doubt.add(r.base.Index, max(id.Index, r.last.Index), h.nameless(fmt.Sprintf(
		"behind it the log ends in entry %d of term %d, before it in entry %d of term %d", id.Index, id.Term, r.last.Index, r.last.Term)))
}

// fill takes entries over that no record tells of, up to an index.
func (r *replay) fill(upTo protocol.Index, offset int64, take func(protocol.EntryID)) {
	for r.last.Index < upTo {
		next := protocol.EntryID{Term: r.last.Term, Index: r.last.Index + 1}
		r.history.append(&protocol.Entry{Term: next.Term, Index: next.Index})
		placed(r.chain, next.Index, offset)
		take(next)
	}
}

// maxGap bounds the gaps that gap takes.
const maxGap = 1 << 20

// gap goes on over entries that are in no record: a hole of which only a part lived was
// repaired without them. What comes later must drop them.
func (r *replay) gap(id protocol.EntryID, offset int64) error {
	err := fmt.Errorf("the record is out of order: the log holds (%d, %d] here", r.base.Index, r.last.Index)
	if id.Term < r.last.Term || id.Index-r.last.Index > maxGap {
		take(branchGapImpossible)
		return err
	}
	take(branchGap)
	s := r.chain[len(r.chain)-1]
	r.doubt.add(r.last.Index, id.Index-1, &storage.DamageError{File: s.name, Offset: offset, Index: id.Index, Term: id.Term, Reason: err.Error()})
	r.fill(id.Index-1, offset, func(protocol.EntryID) {})
	return nil
}

// moveBase moves the base to an entry that the log holds.
func (r *replay) moveBase(id protocol.EntryID) {
	if r.open != nil && r.history.term(id.Index) != id.Term {
		take(branchHoleBase)
		r.uncertain(r.open, id)
	}
	r.history.compact(id)
	if id.Index == r.last.Index {
		r.last = id
	}
}
