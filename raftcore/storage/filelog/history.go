package filelog

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// history is what the log holds, without where: base, last and terms. It follows the
// operations of the log in their order.
type history struct {
	base  protocol.EntryID
	last  protocol.EntryID
	terms []protocol.TermStart // of (base, last], ascending
}

func (h *history) state() protocol.LogState {
	return protocol.LogState{Base: h.base, Last: h.last.Index, Terms: slices.Clone(h.terms)}
}

// append takes over an entry at an index in (base, last+1]; what was there and after
// it is cut off.
func (h *history) append(id protocol.EntryID) {
	for n := len(h.terms); n > 0 && h.terms[n-1].First >= id.Index; n-- {
		h.terms = h.terms[:n-1]
	}
	if n := len(h.terms); n == 0 || h.terms[n-1].Term != id.Term {
		h.terms = append(h.terms, protocol.TermStart{Term: id.Term, First: id.Index})
	}
	h.last = id
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
	h.base = base
}

func (h *history) reset(base protocol.EntryID) { *h = history{base: base, last: base} }
