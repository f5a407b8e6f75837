package host

import (
	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// proposal is an encoded command, or change of sessions, of a client of this member. A command that is handed to
// the replica in term t becomes, if at all, an entry of term t: a leader appends it in
// its own term, and takes forwarded ones only of its own term. Entries are in the order
// of their terms, so a command that was not applied before the first entry of a
// later term never will be, and may be proposed again without becoming two.
type proposal struct {
	request uint64
	kind    protocol.EntryKind
	payload []byte
	waiter  *waiter
}

// propose hands the proposals to the replica, in the present term and in portions that can
// be forwarded: all that waits may be more than the transport takes in one message.
func (h *Host) propose(ps []proposal) {
	for len(ps) > 0 {
		size, n := 0, 0
		for n < len(ps) && ps[n].kind == ps[0].kind && (n == 0 || size+len(ps[n].payload) <= h.opts.MaxMessageBytes) {
			size, n = size+len(ps[n].payload), n+1
		}
		h.proposePortion(ps[:n])
		ps = ps[n:]
	}
}

func (h *Host) proposePortion(ps []proposal) {
	if ps[0].kind == protocol.EntryCommand && h.refusesForSpace() {
		for _, p := range ps {
			p.waiter.term = 0
			h.waiters.complete(p.request, outcome{err: h.diskFull()})
		}
		return
	}
	term := h.State().Term
	payloads := make([][]byte, 0, len(ps))
	for _, p := range ps {
		p.waiter.kind, p.waiter.payload, p.waiter.term = p.kind, p.payload, term
		payloads = append(payloads, p.payload)
	}
	h.step(replica.Propose{Kind: ps[0].kind, Payloads: payloads})
}

// onTerm is called by the applier when the first entries of a term are applied. What was
// handed over in an earlier term and is not answered by now was lost with its leader.
func (h *Host) onTerm(t protocol.Term) {
	h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(*replica.Replica) {
			var lost []proposal
			for id, x := range h.waiters.handedOver(func(u protocol.Term) bool { return u < t }) {
				lost = append(lost, proposal{id, x.kind, x.payload, x})
			}
			if len(lost) > 0 {
				h.propose(lost)
			}
		})
	})
}

// onSnapshot is called by the applier when a snapshot that ends in term t was
// installed: it may hold what commands up to that term did, but not their results.
func (h *Host) onSnapshot(t protocol.Term) {
	h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(*replica.Replica) {
			for id := range h.waiters.handedOver(func(u protocol.Term) bool { return u <= t }) {
				h.waiters.complete(id, outcome{err: ErrUnknown})
			}
		})
	})
}

// givenUp reports whether nobody waits for the proposal any more.
func (h *Host) givenUp(p proposal) bool { return h.waiters.find(p.request) != p.waiter }

// refused ends the clients' proposals that cannot be taken now, or holds them until
// there is a leader.
func (h *Host) refused(r replica.Refusal) {
	for _, payload := range r.Payloads {
		id := h.requestOf(r.Kind, payload)
		x := h.waiters.find(id)
		if x == nil {
			continue
		}
		x.term = 0
		if waitsForLeader(r.Reason) && h.held.put(proposal{id, r.Kind, payload, x}, h.opts.MaxQueuedBytes) {
			continue
		}
		h.waiters.complete(id, outcome{err: refusalError(r.Reason)})
	}
}

// waitsForLeader tells refusals that end by themselves from those that are answers.
func waitsForLeader(r replica.RefusalReason) bool {
	return r == replica.NoLeader || r == replica.Transferring
}

func refusalError(r replica.RefusalReason) error {
	switch r {
	case replica.Overloaded:
		return ErrOverloaded
	case replica.InFlight:
		return ErrInFlight
	case replica.DiskFull:
		return ErrDiskFull
	}
	return ErrNoLeader
}

// requestOf gives the number of the request that waits for what a client of this member
// has proposed; 0 when nobody does.
func (h *Host) requestOf(kind protocol.EntryKind, payload []byte) uint64 {
	if kind == protocol.EntrySession {
		c, err := h.opts.Serializer.DecodeSessionChange(codec.Encoded{Bytes: payload})
		if err != nil {
			return 0
		}
		return c.ReplyTo.Request
	}
	c, err := h.opts.Serializer.DecodeCommand(codec.Encoded{Bytes: payload})
	if err != nil {
		return 0
	}
	return c.ReplyTo.Request
}

// heldProposals wait for a leader.
type heldProposals struct {
	proposals []proposal
	bytes     int
}

func (h *heldProposals) put(p proposal, limit int) bool {
	if h.bytes+len(p.payload) > limit {
		return false
	}
	h.proposals, h.bytes = append(h.proposals, p), h.bytes+len(p.payload)
	return true
}

// take gives what is held when there is a leader.
func (h *heldProposals) take(leader protocol.MemberID) []proposal {
	if leader == 0 {
		return nil
	}
	out := h.proposals
	*h = heldProposals{}
	return out
}
