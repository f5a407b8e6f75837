package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// fetchForApply follows the one Fetch for the state machine that may be out.
type fetchForApply struct {
	out   bool
	held  bool           // the last one failed: wait for the next heartbeat interval
	after protocol.Index // the state machine must have come so far before the next one
}

func (f *fetchForApply) retry() { f.held = false }

// fetchToApply asks for entries that are not in memory, as after a restart. One
// batch is read while the one before it is applied, so that memory stays bounded.
func (r *Replica) fetchToApply(from, to protocol.Index) {
	if r.fetched.out || r.fetched.held || r.applied < r.fetched.after {
		return
	}
	r.fetched.out = true
	r.fx.Fetch = append(r.fx.Fetch, Fetch{From: from, To: to, MaxBytes: min(r.cfg.MaxMessageBytes, r.applying.room())})
}

// fetchFor asks for entries that a follower needs and memory has no more.
func (r *Replica) fetchFor(p *progress.Progress) {
	if p.Fetching {
		return
	}
	p.Fetching = true
	r.fx.Fetch = append(r.fx.Fetch, Fetch{For: p.ID, From: p.Next, To: r.log.first - 1, MaxBytes: r.cfg.MaxMessageBytes})
}

func (r *Replica) takeFetched(in Fetched) {
	ok := !in.Err && r.ownEntries(in.Entries)
	if in.Fetch.For == 0 {
		r.takeFetchedToApply(in, ok)
		return
	}
	if p := r.follower(in.Fetch.For); p != nil && p.Fetching {
		r.takeFetchedFor(p, in, ok)
	}
}

// ownEntries reports whether the entries follow each other in the present log. What was
// read may be of a log that was cut off since.
func (r *Replica) ownEntries(entries []protocol.Entry) bool {
	for i, e := range entries {
		if e.Index != entries[0].Index+protocol.Index(i) || e.Index <= r.log.base.Index ||
			!r.log.has(e.ID()) && !r.cfg.Mutation.Has(mutation.FetchedCutOff) {
			return false
		}
	}
	return len(entries) > 0
}

// takeFetchedToApply hands out what was read. When the log could not give it, the
// same is asked for again after a heartbeat interval: to report a damaged record
// as a fault is the caller's duty.
func (r *Replica) takeFetchedToApply(in Fetched, ok bool) {
	if !r.fetched.out {
		return
	}
	r.fetched.out = false
	if !ok {
		r.fetched.held = true
		return
	}
	if in.Entries[0].Index != r.handed+1 || in.Entries[len(in.Entries)-1].Index > min(r.commit, r.writes.stable) {
		return // asked before a snapshot was installed
	}
	r.fetched.after = r.handed
	r.hand(in.Entries)
}

// takeFetchedFor sends what was read. When the log could not give it, the follower is
// probed again when it answers next, and gets a snapshot if the entries were compacted
// away.
func (r *Replica) takeFetchedFor(p *progress.Progress, in Fetched, ok bool) {
	p.Fetching = false
	switch {
	case ok && p.CanSend() && in.Entries[0].Index == p.Next:
		r.sendEntries(p, in.Entries)
	case !ok && p.Next > r.log.base.Index:
		p.Lost()
		p.Pause()
	}
}
