package replica

import (
	"slices"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// follow takes an AppendRequest of this term's leader (paper figure 2, AppendEntries
// RPC, receiver implementation 2 to 5).
func (r *Replica) follow(m protocol.Message) {
	req := m.Body.(*protocol.AppendRequest)
	if !r.acceptLeader(m.From) || !wellFormed(req, m.Term) {
		return
	}
	r.heardRound = max(r.heardRound, req.Round)
	if req.Prev.Index >= r.log.base.Index && !r.log.has(req.Prev) {
		if req.Prev.Index <= r.commit {
			r.violate("leader %d has entry %d in term %d, but another one is committed here", m.From, req.Prev.Index, req.Prev.Term)
			return
		}
		r.reject(m.From, req)
		return
	}
	if !r.insert(r.unknown(req.Entries)) {
		return
	}
	last := req.Prev.Index + protocol.Index(len(req.Entries))
	// Only what this request has shown to be the leader's may be committed by it.
	r.commit = max(r.commit, min(req.Commit, last))
	r.acknowledge(m.From, req, last)
}

// acceptLeader makes the sender this term's leader, and reports false when there is
// another one already.
func (r *Replica) acceptLeader(from protocol.MemberID) bool {
	if r.leader != 0 && r.leader != from {
		r.violate("member %d leads in this term, and so does member %d", r.leader, from)
		return false
	}
	if r.leader == 0 {
		r.becomeFollower(r.term, from)
	}
	r.heardLeader()
	return true
}

// hearLeader takes a chunk of a snapshot as a sign of life; the caller keeps the data.
func (r *Replica) hearLeader(m protocol.Message) { r.acceptLeader(m.From) }

// wellFormed reports whether the entries follow each other and their terms ascend. A
// sender of anything else is broken and gets no answer.
func wellFormed(req *protocol.AppendRequest, term protocol.Term) bool {
	before := req.Prev
	for _, e := range req.Entries {
		if e.Index != before.Index+1 || e.Term < before.Term || e.Term > term {
			return false
		}
		before = e.ID()
	}
	return before.Term <= term
}

// unknown leaves out entries that the log has: what lies at or below the base is
// committed and therefore the same, above it the term at the index decides.
func (r *Replica) unknown(entries []protocol.Entry) []protocol.Entry {
	for len(entries) > 0 && (entries[0].Index <= r.log.base.Index || r.log.has(entries[0].ID())) {
		entries = entries[1:]
	}
	return entries
}

// insert puts entries at the index of the first one and cuts off what follows in the
// log. It reports false when that would be something committed.
func (r *Replica) insert(entries []protocol.Entry) bool {
	if len(entries) == 0 {
		return true
	}
	at := entries[0].Index
	if at <= r.commit {
		r.violate("entry %d of term %d would replace a committed one", at, entries[0].Term)
		return false
	}
	if r.cfg.Mutation.Has(mutation.KeepOldTail) {
		entries = r.withOldTail(entries)
	}
	r.log.truncate(at - 1)
	r.configurations.truncate(at - 1)
	r.appendEntries(entries)
	r.adopt()
	r.writes.inserted(at)
	return true
}

// withOldTail is a deliberate bug: what follows the inserted entries stays.
func (r *Replica) withOldTail(entries []protocol.Entry) []protocol.Entry {
	keep := max(entries[len(entries)-1].Index+1, r.log.first)
	if keep > r.log.last {
		return entries
	}
	return append(slices.Clone(entries), r.log.slice(keep, r.log.last)...)
}

// acknowledge answers a request that fits; last is the last entry that it showed to be
// the leader's. The answer to entries waits until they are durable. The answer to a
// heartbeat waits for nothing, so that a slow disk does not look like a dead
// member, and tells what is durable already.
func (r *Replica) acknowledge(to protocol.MemberID, req *protocol.AppendRequest, last protocol.Index) {
	a := r.answer(req)
	a.Match = last
	if len(req.Entries) == 0 {
		a.Match = min(last, r.writes.stable)
	}
	if a.Match <= r.writes.stable || r.cfg.Mutation.Has(mutation.AckBeforeSync) {
		r.send(to, a)
		return
	}
	r.sendAfterPersist(to, a)
}

// reject tells the leader where this log may meet its own.
func (r *Replica) reject(to protocol.MemberID, req *protocol.AppendRequest) {
	a := r.answer(req)
	a.Rejected, a.Match, a.Hint = true, req.Prev.Index, r.log.meet(req.Prev)
	r.send(to, a)
}

func (r *Replica) answer(req *protocol.AppendRequest) *protocol.AppendResponse {
	return &protocol.AppendResponse{Round: req.Round, Incarnation: r.cfg.Incarnation, Boot: r.cfg.Boot, Unfit: r.fitness != Fit}
}
