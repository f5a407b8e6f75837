package filelog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// repair is the content of a hole, to be written.
type repair struct {
	hole    *hole
	entries []protocol.Entry
}

// Damaged implements storage.Log.
func (l *Log) Damaged() []protocol.EntryID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []protocol.EntryID
	for _, h := range l.mu.holes {
		ids = append(ids, h.entries...)
	}
	slices.SortFunc(ids, func(a, b protocol.EntryID) int { return int(a.Index) - int(b.Index) })
	return ids
}

// beforeDamage gives the last index in [lo, hi] before a damaged one. The error names
// the damage at lo.
func (l *Log) beforeDamage(lo, hi protocol.Index) (protocol.Index, error) {
	for _, h := range l.mu.holes {
		if i := h.holds(lo); i >= 0 {
			return 0, h.damage(h.entries[i])
		}
		if first := h.entries[0].Index; first > lo {
			hi = min(hi, first-1)
		}
	}
	return hi, nil
}

// found takes over that the record of an entry is damaged, which a read has met. The
// segment is held for reading.
func (l *Log) found(s *segment, index protocol.Index) {
	l.mu.Lock()
	from, end, ok := l.placeOf(s, index)
	l.mu.Unlock()
	if !ok {
		return
	}
	data := make([]byte, end)
	if _, err := s.file.ReadAt(data[from:], from); err != nil {
		return // the next read tells
	}
	stop, cause := walk(data, s.salt, from, func(frame) error { return errWhole })
	if !isFrameError(cause) {
		take(branchMetWhole)
		return // it was repaired meanwhile
	}
	h := &hole{segment: s, from: from, cause: cause}
	if h.to = from + int64(stop.size); errors.Is(cause, codec.ErrFramePayload) {
		take(branchMetPayload)
		h.frame = &stop
	} else if next, ok := search(data, s.salt, from+1, func(_ frame, err error) bool { return err == nil }); ok {
		take(branchMetToFrame)
		h.to = next.offset
	} else {
		take(branchMetToEnd)
		h.to = end
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if again, _, ok := l.placeOf(s, index); !ok || again != from {
		return
	}
	l.addHole(h, index)
}

var errWhole = errors.New("the frame is whole")

// placeOf gives where an entry's record is and where the records of its segment end. ok is
// false when the segment does not hold it any more, or when it is known to be damaged.
func (l *Log) placeOf(s *segment, index protocol.Index) (from, end int64, ok bool) {
	if index <= l.mu.base.Index || find(l.mu.chain, index) != s {
		return 0, 0, false
	}
	if _, err := l.beforeDamage(index, index); err != nil {
		return 0, 0, false
	}
	return int64(s.offsets[index-s.first]), s.end, true
}

// addHole names what a hole held: the entry that was read, and those behind it up to
// the hole's end, or to where another hole is known. A mark is written behind it, so that a
// restarted process does not take it for a torn write.
func (l *Log) addHole(h *hole, index protocol.Index) {
	for _, other := range l.mu.holes {
		if other.segment == h.segment && other.from > h.from {
			h.to = min(h.to, other.from)
		}
	}
	for last, _ := h.segment.last(); index <= last; index++ {
		if offset := int64(h.segment.offsets[index-h.segment.first]); offset >= h.to {
			break
		}
		h.entries = append(h.entries, protocol.EntryID{Term: l.mu.term(index), Index: index})
	}
	l.mu.holes = append(l.mu.holes, h)
	if !l.mu.closing {
		l.mu.queue.add(op{record: kindMark})
		l.work.Signal()
	}
}

// Repair implements storage.Log.
func (l *Log) Repair(e protocol.Entry, done func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closing {
		go done(storage.ErrClosed)
		return
	}
	h, err := l.repairable(e)
	if err != nil {
		go done(err)
		return
	}
	if h.arrived == nil {
		h.arrived = make([]protocol.Entry, len(h.entries))
	}
	h.arrived[h.holds(e.Index)] = e
	o := op{repair: &repair{}, done: done}
	if !slices.ContainsFunc(h.arrived, func(a protocol.Entry) bool { return a.Kind == 0 }) {
		o.repair = &repair{h, slices.Clone(h.arrived)}
	}
	l.mu.queue.add(o)
	l.work.Signal()
}

// repairable gives the hole that an entry belongs into, or a *storage.RepairError.
func (l *Log) repairable(e protocol.Entry) (*hole, error) {
	wrong := func(format string, args ...any) error {
		return &storage.RepairError{Entry: e.ID(), Reason: fmt.Sprintf(format, args...)}
	}
	i := slices.IndexFunc(l.mu.holes, func(h *hole) bool { return h.holds(e.Index) >= 0 })
	if i < 0 {
		take(branchNotDamaged)
		return nil, wrong("no record of this index is damaged")
	}
	h := l.mu.holes[i]
	size := int64(len(e.Payload)) + codec.FrameOverhead
	switch id := h.entries[h.holds(e.Index)]; {
	case id != e.ID():
		take(branchOtherTerm)
		return nil, wrong("the damaged record is of term %d", id.Term)
	case e.Kind == 0 || e.Kind >= codec.FrameOwnKinds:
		take(branchOtherKind)
		return nil, wrong("kind %d is none of an entry", e.Kind)
	case h.frame != nil && (h.frame.entry.Kind != e.Kind || int64(h.frame.size) != size):
		take(branchOtherFrame)
		return nil, wrong("the damaged record is of kind %v with a frame of %d bytes, not of kind %v with %d", h.frame.entry.Kind, h.frame.size, e.Kind, size)
	case size > h.to-h.from:
		take(branchTooLong)
		return nil, wrong("its frame has %d bytes, the damaged place %d", size, h.to-h.from)
	}
	return h, nil
}

// repair writes the content of a hole over it, makes it durable and reads it back. Each
// moment of it is safe: only bytes between whole frames change, and what is torn there is a
// hole with the same names again. An error that is damage, or a *storage.RepairError, leaves
// the hole open; any other is one of the disk.
func (w *writer) repair(r *repair) error {
	if r.hole == nil { // others must come first
		take(branchMoreToCome)
		return nil
	}
	if err := w.flush(); err != nil { // what its names rely on is durable before
		return err
	}
	s, ok := w.log.holdHole(r)
	if !ok {
		return nil
	}
	defer s.use.RUnlock()
	content, offsets, err := r.frames()
	if err != nil {
		return w.log.forgetArrived(r, err)
	}
	at := r.hole.from
	if r.hole.frame != nil { // its header holds and stays
		take(branchRepairBehind)
		at, content = at+codec.FrameHeader, content[codec.FrameHeader:]
	}
	if err := writeSynced(s, content, at); err != nil {
		return err
	}
	if err := r.readBack(s); err != nil {
		return w.log.forgetArrived(r, err)
	}
	w.log.mended(r, offsets)
	return nil
}

// repairFailed tells an error of one repair from one of the disk: the place does not keep what is
// written there, or what came does not fit it.
func repairFailed(err error) bool {
	_, refused := errors.AsType[*storage.RepairError](err)
	return refused || isDamage(err)
}

// holdHole holds the hole's segment for reading; ok is false when nothing of the hole
// lives any more.
func (l *Log) holdHole(r *repair) (s *segment, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.mu.holes, r.hole) || !slices.Contains(l.mu.chain, r.hole.segment) {
		take(branchNothingLives)
		return nil, false
	}
	r.hole.segment.use.RLock() // never waits: see locate
	return r.hole.segment, true
}

// forgetArrived lets the entries of a hole be asked for again.
func (l *Log) forgetArrived(r *repair, cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.hole.arrived = nil
	return cause
}

// frames gives the bytes for the whole hole and where each entry's frame is. What the
// entries do not need, because they are not all that was there, becomes a mark in front
// of them.
func (r *repair) frames() (content []byte, offsets []int64, err error) {
	h, flags := r.hole, uint8(flagStart)
	if h.frame != nil && !h.frame.start {
		flags = 0
	}
	rest := h.to - h.from
	for _, e := range r.entries {
		rest -= int64(len(e.Payload)) + codec.FrameOverhead
	}
	if rest < 0 || rest > 0 && rest < codec.FrameOverhead {
		take(branchNotFitting)
		return nil, nil, &storage.RepairError{Entry: r.entries[0].ID(), Reason: fmt.Sprintf(
			"the frames of %d entries are by %d bytes not as long as the %d bytes that are damaged", len(r.entries), rest, h.to-h.from)}
	}
	add := func(e protocol.Entry) {
		offset := h.from + int64(len(content))
		content = placeOf(h.segment.salt, offset).AppendFrame(content, flags, e)
		offsets, flags = append(offsets, offset), 0
	}
	if rest > 0 {
		take(branchRepairFilled)
		add(protocol.Entry{Kind: kindMark, Payload: make([]byte, rest-codec.FrameOverhead)})
		offsets = nil
	}
	for _, e := range r.entries {
		add(e)
	}
	return content, offsets, nil
}

// readBack tells whether the hole holds whole frames now.
func (r *repair) readBack(s *segment) error {
	h := r.hole
	data := make([]byte, h.to-h.from)
	if _, err := s.file.ReadAt(data, h.from); err != nil {
		return fmt.Errorf("read back what was repaired in %s: %w", s.name, err)
	}
	for from := int64(0); from < int64(len(data)); {
		_, _, n, err := placeOf(s.salt, h.from+from).ParseFrame(data[from:])
		if err != nil {
			take(branchRepairSpoilt)
			return &storage.DamageError{
				File: s.name, Offset: h.from + from, Index: r.entries[0].Index, Term: r.entries[0].Term,
				Reason: fmt.Sprintf("after the repair: %v", err),
			}
		}
		from += int64(n)
	}
	return nil
}

// mended takes a hole off the list, and notes where its entries are.
func (l *Log) mended(r *repair, offsets []int64) {
	take(branchRepaired)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.holes = slices.DeleteFunc(l.mu.holes, func(h *hole) bool { return h == r.hole })
	s := r.hole.segment
	for i, e := range r.entries {
		last, ok := s.last()
		if !ok || e.Index < s.first || e.Index > last {
			continue // it was cut off
		}
		if at := &s.offsets[e.Index-s.first]; int64(*at) >= r.hole.from && int64(*at) < r.hole.to {
			*at = uint32(offsets[i])
		}
		if l.mu.has(e.ID()) { // what is queued may have replaced it, or moved the base past it
			l.mu.configured(e)
		}
	}
	l.mu.stats.Repaired += uint64(len(r.entries))
}
