package filelog

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// history is what the log holds, without where: base, last, terms and configurations. It
// follows the operations of the log in their order.
type history struct {
	base  protocol.EntryID
	last  protocol.EntryID
	terms []protocol.TermStart // of (base, last], ascending

	configuration  []byte           // payload of the last Configuration entry at or before base
	configurations []protocol.Entry // those in (base, last], ascending
}

func (h *history) state() protocol.LogState {
	return protocol.LogState{
		Base: h.base, Last: h.last.Index, Terms: slices.Clone(h.terms),
		Configuration: h.configuration, Configurations: slices.Clone(h.configurations),
	}
}

// append takes over an entry at an index in (base, last+1]; what was there and after
// it is cut off. The payload of a Configuration entry is kept.
func (h *history) append(e *protocol.Entry) {
	for n := len(h.terms); n > 0 && h.terms[n-1].First >= e.Index; n-- {
		h.terms = h.terms[:n-1]
	}
	for n := len(h.configurations); n > 0 && h.configurations[n-1].Index >= e.Index; n-- {
		h.configurations = h.configurations[:n-1]
	}
	if n := len(h.terms); n == 0 || h.terms[n-1].Term != e.Term {
		h.terms = append(h.terms, protocol.TermStart{Term: e.Term, First: e.Index})
	}
	if e.Kind == protocol.EntryConfiguration {
		h.configurations = append(h.configurations, *e)
	}
	h.last = e.ID()
}

// term gives the term of an entry in [base, last].
func (h *history) term(index protocol.Index) protocol.Term {
	for i := len(h.terms) - 1; i >= 0; i-- {
		if h.terms[i].First <= index {
			return h.terms[i].Term
		}
	}
	return h.base.Term
}

// has reports whether the entry is one above the base.
func (h *history) has(id protocol.EntryID) bool {
	return id.Index > h.base.Index && id.Index <= h.last.Index && h.term(id.Index) == id.Term
}

// compact moves the base to an index in [base, last].
func (h *history) compact(base protocol.EntryID) {
	for len(h.terms) > 1 && h.terms[1].First <= base.Index+1 {
		h.terms = h.terms[1:]
	}
	if base.Index == h.last.Index {
		h.terms = nil
	} else if len(h.terms) > 0 && h.terms[0].First <= base.Index {
		h.terms = slices.Clone(h.terms)
		h.terms[0].First = base.Index + 1
	}
	for len(h.configurations) > 0 && h.configurations[0].Index <= base.Index {
		h.configuration = h.configurations[0].Payload
		h.configurations = h.configurations[1:]
	}
	h.base = base
}

func (h *history) reset(base protocol.EntryID, configuration []byte) {
	*h = history{base: base, last: base, configuration: configuration}
}

// configured takes over an entry above the base that was not known to be a Configuration.
func (h *history) configured(e protocol.Entry) {
	if e.Kind != protocol.EntryConfiguration {
		return
	}
	i, known := slices.BinarySearchFunc(h.configurations, e.Index, func(c protocol.Entry, i protocol.Index) int { return cmp.Compare(c.Index, i) })
	if !known {
		h.configurations = slices.Insert(slices.Clone(h.configurations), i, e)
	}
}
