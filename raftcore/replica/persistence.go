package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// write is a Persist or an Install that is not durable yet.
type write struct {
	seq        uint64
	from, last protocol.Index // what it changed in the log; last is 0 when nothing
	hard       bool
	install    bool
}

// writes follows what is on its way to the disk.
type writes struct {
	seq     uint64         // of the last write
	stable  protocol.Index // up to here the present log is durable
	pending []write        // ascending by seq

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

// add makes the next write.
func (w *writes) add(next write) uint64 {
	w.seq++
	next.seq = w.seq
	w.pending = append(w.pending, next)
	return w.seq
}

// done takes every write up to seq as durable. A write's entries count only below
// what a later one replaces: that part is not in the present log any more.
func (w *writes) done(seq uint64) {
	n := 0
	for n < len(w.pending) && w.pending[n].seq <= seq {
		n++
	}
	for i := range n {
		reach := w.pending[i].last
		for _, later := range w.pending[i+1:] {
			if later.last != 0 {
				reach = min(reach, later.from-1)
			}
		}
		w.stable = max(w.stable, reach)
	}
	w.pending = w.pending[:copy(w.pending, w.pending[n:])]
}

// hardPending reports whether the present term and vote are not durable yet.
func (w *writes) hardPending() bool {
	if w.hard {
		return true
	}
	for _, p := range w.pending {
		if p.hard {
			return true
		}
	}
	return false
}

func (w *writes) installPending() bool {
	for _, p := range w.pending {
		if p.install {
			return true
		}
	}
	return false
}

// persist gives out what this Step has changed as one write.
func (r *Replica) persist() {
	w := &r.writes
	if !w.hard && w.from == 0 {
		return
	}
	p := &Persist{}
	next := write{hard: w.hard}
	if w.hard {
		p.Hard = r.hardState()
	}
	if w.from != 0 {
		next.from, next.last = w.from, r.log.last
		p.Entries = r.log.slice(w.from, r.log.last)
	}
	w.hard, w.from = false, 0
	p.Seq = w.add(next)
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
// never applied: after a crash the state machine would be ahead of the log.
func (r *Replica) apply() {
	upTo := min(r.commit, r.writes.stable)
	if r.cfg.Mutation.Has(mutation.ApplyUncommitted) {
		upTo = r.writes.stable
	}
	next := r.handed + 1
	if next > upTo {
		return
	}
	if next < r.log.first {
		r.fetchToApply(next, min(upTo, r.log.first-1))
		return
	}
	r.hand(r.log.slice(next, upTo))
}

func (r *Replica) hand(entries []protocol.Entry) {
	r.handed = entries[len(entries)-1].Index
	if len(r.fx.Apply) == 0 {
		r.fx.Apply = entries
		return
	}
	// What was fetched is followed by what is in memory: two arrays become one.
	r.fx.Apply = append(r.fx.Apply[:len(r.fx.Apply):len(r.fx.Apply)], entries...)
}
