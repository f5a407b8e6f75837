package replica

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// entryLog is what a replica holds of its log: for the whole log only where each
// term begins, so that the search for a conflict needs no I/O, and the most recent
// entries themselves in the tail.
//
// Slices of the tail are handed out and stay valid for ever: an element that was
// once written is never written again. What is cut off at the end is replaced in a
// new array; what is dropped at the front is only sliced away.
type entryLog struct {
	base  protocol.EntryID
	last  protocol.Index
	terms []protocol.TermStart // of the entries in (base.Index, last], ascending

	first protocol.Index // of the tail, which reaches from first to last
	tail  []protocol.Entry
	bytes int // of the tail, by Entry.Size
}

func newEntryLog(s protocol.LogState) (entryLog, error) {
	l := entryLog{base: s.Base, last: s.Last, first: s.Last + 1}
	l.terms = append(l.terms, s.Terms...)
	if err := l.check(); err != nil {
		return entryLog{}, fmt.Errorf("the log's state is broken: %w", err)
	}
	return l, nil
}

// lastID gives the identity of the last entry.
func (l *entryLog) lastID() protocol.EntryID {
	if n := len(l.terms); n > 0 {
		return protocol.EntryID{Term: l.terms[n-1].Term, Index: l.last}
	}
	return l.base
}

// term gives the term of the entry at i, and whether that is known.
func (l *entryLog) term(i protocol.Index) (protocol.Term, bool) {
	if i < l.base.Index || i > l.last {
		return 0, false
	}
	if i >= l.first {
		return l.tail[i-l.first].Term, true
	}
	for k := len(l.terms) - 1; k >= 0; k-- {
		if l.terms[k].First <= i {
			return l.terms[k].Term, true
		}
	}
	return l.base.Term, true
}

// id gives the identity of the entry at i, which must be in [base.Index, last].
func (l *entryLog) id(i protocol.Index) protocol.EntryID {
	t, _ := l.term(i)
	return protocol.EntryID{Term: t, Index: i}
}

// has reports whether the log holds the entry (its base included).
func (l *entryLog) has(id protocol.EntryID) bool {
	t, ok := l.term(id.Index)
	return ok && t == id.Term
}

// meet gives the last entry at or before id.Index whose term is at most id.Term:
// the latest place where this log and one that ends in id can be the same (paper
// section 5.3, the search for a conflict by term). It gives the base when there is
// none.
func (l *entryLog) meet(id protocol.EntryID) protocol.EntryID {
	i := min(id.Index, l.last)
	for k := len(l.terms) - 1; k >= 0; k-- {
		t := l.terms[k]
		if t.First > i {
			continue
		}
		if t.Term <= id.Term {
			return protocol.EntryID{Term: t.Term, Index: i}
		}
		i = t.First - 1
	}
	return l.base
}

// push makes a new last entry.
func (l *entryLog) push(t protocol.Term, k protocol.EntryKind, payload []byte) {
	l.reserve(1)
	l.add(protocol.Entry{Index: l.last + 1, Term: t, Kind: k, Payload: payload})
}

// append adds entries, of which the first follows the last one.
func (l *entryLog) append(entries []protocol.Entry) {
	l.reserve(len(entries))
	for _, e := range entries {
		l.add(e)
	}
}

func (l *entryLog) add(e protocol.Entry) {
	if l.lastID().Term != e.Term || len(l.terms) == 0 {
		l.terms = append(l.terms, protocol.TermStart{Term: e.Term, First: e.Index})
	}
	l.tail = append(l.tail, e)
	l.last = e.Index
	l.bytes += e.Size()
}

// reserve makes room for n entries. Growing to twice what lives also lets go of
// the entries that were evicted at the front.
func (l *entryLog) reserve(n int) {
	if cap(l.tail)-len(l.tail) >= n {
		return
	}
	const least = 64
	grown := make([]protocol.Entry, len(l.tail), 2*(len(l.tail)+n)+least)
	copy(grown, l.tail)
	l.tail = grown
}

// truncate cuts off everything after last. The capacity is cut too, so that the
// next entry goes into a new array.
func (l *entryLog) truncate(last protocol.Index) {
	if last >= l.last {
		return
	}
	for n := len(l.terms); n > 0 && l.terms[n-1].First > last; n-- {
		l.terms = l.terms[:n-1]
	}
	l.last = last
	if last < l.first {
		l.first, l.tail, l.bytes = last+1, nil, 0
		return
	}
	keep := int(last - l.first + 1)
	l.bytes -= protocol.Size(l.tail[keep:])
	l.tail = l.tail[:keep:keep]
}

// slice gives the entries in [lo, hi], which the tail must hold.
func (l *entryLog) slice(lo, hi protocol.Index) []protocol.Entry {
	a, b := lo-l.first, hi-l.first+1
	return l.tail[a:b:b]
}

// batch gives entries from lo on, of at most maxBytes but at least one.
func (l *entryLog) batch(lo protocol.Index, maxBytes int) []protocol.Entry {
	return l.part(lo, l.last, maxBytes)
}

// part gives entries in [lo, hi], which the tail must hold, of at most maxBytes but at least
// one.
func (l *entryLog) part(lo, hi protocol.Index, maxBytes int) []protocol.Entry {
	rest := l.slice(lo, hi)
	n, size := 1, rest[0].Size()
	for n < len(rest) {
		if size += rest[n].Size(); size > maxBytes {
			break
		}
		n++
	}
	return rest[:n:n]
}

// evict drops entries up to and including upTo from memory while there are more
// than maxBytes.
func (l *entryLog) evict(maxBytes int, upTo protocol.Index) {
	n := 0
	for l.bytes > maxBytes && n < len(l.tail) && l.tail[n].Index <= upTo {
		l.bytes -= l.tail[n].Size()
		n++
	}
	l.tail = l.tail[n:]
	l.first += protocol.Index(n)
}

// compact forgets everything up to and including base, an entry that it holds.
func (l *entryLog) compact(base protocol.EntryID) {
	l.base = base
	n := 0
	for n < len(l.terms) && l.termEnd(n) <= base.Index {
		n++
	}
	l.terms = l.terms[n:]
	if len(l.terms) > 0 && l.terms[0].First <= base.Index {
		l.terms[0].First = base.Index + 1
	}
	l.evict(-1, base.Index)
	if l.first <= base.Index {
		l.first = base.Index + 1
	}
}

// termEnd gives the last index of the n-th term.
func (l *entryLog) termEnd(n int) protocol.Index {
	if n+1 < len(l.terms) {
		return l.terms[n+1].First - 1
	}
	return l.last
}

// reset makes it an empty log after base.
func (l *entryLog) reset(base protocol.EntryID) {
	*l = entryLog{base: base, last: base.Index, first: base.Index + 1}
}

// check tells what contradicts itself.
func (l *entryLog) check() error {
	if l.last < l.base.Index || (l.last == l.base.Index) != (len(l.terms) == 0) {
		return fmt.Errorf("base %d, last %d, with %d terms", l.base.Index, l.last, len(l.terms))
	}
	before := protocol.TermStart{Term: l.base.Term, First: l.base.Index}
	for i, t := range l.terms {
		if t.Term < before.Term || i > 0 && t.Term == before.Term || t.First <= before.First || t.First > l.last {
			return fmt.Errorf("term %d begins at %d, after term %d at %d", t.Term, t.First, before.Term, before.First)
		}
		if i == 0 && t.First != l.base.Index+1 {
			return fmt.Errorf("the first term begins at %d, the base is %d", t.First, l.base.Index)
		}
		before = t
	}
	return l.checkTail()
}

func (l *entryLog) checkTail() error {
	if l.first <= l.base.Index || int(l.last+1-l.first) != len(l.tail) {
		return fmt.Errorf("%d entries in memory from %d, the last is %d", len(l.tail), l.first, l.last)
	}
	if n := protocol.Size(l.tail); n != l.bytes {
		return fmt.Errorf("%d bytes in memory counted as %d", n, l.bytes)
	}
	k := len(l.terms) - 1
	for i := len(l.tail) - 1; i >= 0; i-- {
		e := l.tail[i]
		for k > 0 && l.terms[k].First > e.Index {
			k--
		}
		if e.Index != l.first+protocol.Index(i) || e.Term != l.terms[k].Term {
			return fmt.Errorf("entry %d of term %d stands at %d of term %d", e.Index, e.Term, l.first+protocol.Index(i), l.terms[k].Term)
		}
	}
	return nil
}
