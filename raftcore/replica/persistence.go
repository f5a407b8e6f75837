package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// write is a Persist with entries, or an Install, that is not durable yet: it changed the
// log in [from, last].
type write struct {
	seq        uint64
	from, last protocol.Index
}

// writes follows what is on its way to the disk.
type writes struct {
	seq     uint64         // of the last write
	durable uint64         // up to here the writes are durable
	stable  protocol.Index // up to here the present log is durable
	pending []write        // ascending by seq

	hardSeq    uint64 // the last write with a HardState
	installSeq uint64 // the last Install

	hard bool           // this Step changed the HardState
	from protocol.Index // this Step inserted entries from here on; 0: none
}

// inserted notes that the log was changed from an index on.
func (w *writes) inserted(from protocol.Index) {
	if w.from == 0 || from < w.from {
		w.from = from
	}
	w.stable = min(w.stable, from-1)
}

// next makes the next write. Entries are in [from, last]; last is 0 without entries.
func (w *writes) next(from, last protocol.Index) uint64 {
	w.seq++
	if last != 0 {
		w.pending = append(w.pending, write{w.seq, from, last})
	}
	return w.seq
}

// done takes every write up to seq as durable. A write's entries count only below
// what a later one replaces: that part is not in the present log any more.
func (w *writes) done(seq uint64) {
	w.durable = max(w.durable, seq)
	n := len(w.pending)
	for n > 0 && w.pending[n-1].seq > seq {
		n--
	}
	replaced := w.lowestFrom(n)
	for i := n - 1; i >= 0; i-- {
		w.stable = max(w.stable, min(w.pending[i].last, replaced-1))
		replaced = min(replaced, w.pending[i].from)
	}
	w.pending = w.pending[:copy(w.pending, w.pending[n:])]
}

// lowestFrom gives the lowest index that writes from the n-th on replace.
func (w *writes) lowestFrom(n int) protocol.Index {
	lowest := ^protocol.Index(0)
	for _, p := range w.pending[n:] {
		lowest = min(lowest, p.from)
	}
	return lowest
}

// hardPending reports whether the present term and vote are not durable yet.
func (w *writes) hardPending() bool { return w.hard || w.hardSeq > w.durable }

func (w *writes) installPending() bool { return w.installSeq > w.durable }

// persist gives out what this Step has changed as one write.
func (r *Replica) persist() {
	w := &r.writes
	if !w.hard && w.from == 0 {
		return
	}
	p := &Persist{}
	last := protocol.Index(0)
	if w.from != 0 {
		last = r.log.last
		p.Entries = r.log.slice(w.from, last)
	}
	p.Seq = w.next(w.from, last)
	if w.hard {
		p.Hard = r.hardState()
		w.hardSeq = p.Seq
	}
	w.hard, w.from = false, 0
	r.fx.Persist = p
}

func (r *Replica) hardState() *protocol.HardState {
	h := &protocol.HardState{Term: r.term, Vote: r.vote}
	if r.cfg.Mutation.Has(mutation.VoteInMemory) {
		h.Vote = 0
	}
	return h
}

// persisted learns that writes are durable. A candidate's own vote counts from then
// on, and a leader's own entries.
func (r *Replica) persisted(seq uint64) {
	if seq > r.writes.seq {
		r.violate("write %d is said to be durable, but the last one was %d", seq, r.writes.seq)
		return
	}
	r.writes.done(seq)
	if r.role == Candidate && !r.writes.hardPending() {
		r.countVote(r.cfg.ID)
	}
}

// apply hands out what is committed and durable here. Not durable entries are
// never applied: after a crash the state machine would be ahead of the log. While too much
// of what was handed out is not applied the rest waits; memory need not keep it.
func (r *Replica) apply() {
	upTo := min(r.commit, r.writes.stable)
	if r.cfg.Mutation.Has(mutation.ApplyUncommitted) {
		upTo = r.writes.stable
	}
	next := r.handed + 1
	if next > upTo || r.applying.full() {
		return
	}
	if next < r.log.first {
		r.fetchToApply(next, min(upTo, r.log.first-1))
		return
	}
	r.hand(r.log.part(next, upTo, r.applying.room()))
}

func (r *Replica) hand(entries []protocol.Entry) {
	r.handed = entries[len(entries)-1].Index
	r.applying.add(r.handed, protocol.Size(entries))
	if len(r.fx.Apply) == 0 {
		r.fx.Apply = entries
		return
	}
	// What was fetched is followed by what is in memory: two arrays become one.
	r.fx.Apply = append(r.fx.Apply[:len(r.fx.Apply):len(r.fx.Apply)], entries...)
}
