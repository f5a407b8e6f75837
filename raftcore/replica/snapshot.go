package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// offerSnapshot asks the caller to send a snapshot to a follower whose next entry was
// compacted away (paper section 7), if it has given a sign of life lately.
func (r *Replica) offerSnapshot(p *progress.Progress) {
	if p.Silent >= r.cfg.ElectionTicks || p.Departing > 0 {
		return
	}
	p.NeedSnapshot()
	r.fx.SendSnapshot = append(r.fx.SendSnapshot, p.ID)
}

// snapshotSent goes on after the snapshot, or tries again at the follower's next
// answer.
func (r *Replica) snapshotSent(in SnapshotSent) {
	p := r.follower(in.To)
	if p == nil || p.State() != progress.Snapshot {
		return
	}
	if in.OK && in.Last.Index <= r.log.last {
		p.SnapshotDone(in.Last.Index + 1)
		return
	}
	p.SnapshotDone(p.Match + 1)
	p.Pause()
}

// snapshotReceived installs a snapshot of the present term's leader when it reaches
// further than what is committed here. When the log holds the snapshot's last entry,
// the snapshot is a prefix of the log and only shows what is committed; what
// follows in the log may have been acknowledged and stays (paper section 7). A snapshot that
// ends in a later term was frozen after its sender had lost the leadership.
func (r *Replica) snapshotReceived(in SnapshotReceived) {
	last := in.Meta.Last
	if in.Term != r.term || last.Term > r.term || r.role == Leader || in.From == 0 || in.From == r.cfg.ID {
		return
	}
	if !r.acceptLeader(in.From) {
		return
	}
	goesBack := r.cfg.Mutation.Has(mutation.SnapshotGoesBack)
	switch {
	case last.Index <= r.commit && !goesBack:
	case r.log.has(last) && !goesBack && !r.cfg.Mutation.Has(mutation.SnapshotDropsTail):
		r.commit = last.Index
	default:
		r.install(in)
		return
	}
	// What is committed here is in the leader's log (paper figure 3, Leader
	// Completeness).
	r.send(in.From, r.matching(min(r.commit, r.writes.stable)))
}

func (r *Replica) install(in SnapshotReceived) {
	last := in.Meta.Last
	// On disk the old log stands until this is durable: of it, what is committed counts.
	if !r.cfg.Mutation.Has(mutation.InstallKeepsStable) {
		r.writes.stable = min(r.writes.stable, r.commit)
	}
	seq := r.writes.next(r.commit+1, last.Index)
	r.writes.installSeq = seq
	r.log.reset(last)
	r.commit, r.handed, r.applied = last.Index, last.Index, last.Index
	r.fetched = fetchForApply{}
	r.applying.reset()
	r.configurations = configurations{{id: last, membership: in.Meta.Membership.Clone()}}
	r.adopt()
	r.fx.Install = &Install{Seq: seq, Meta: in.Meta}
	r.sendAfterPersist(in.From, r.matching(last.Index))
}

// matching answers a snapshot, in the round that was heard last.
func (r *Replica) matching(match protocol.Index) *protocol.AppendResponse {
	return &protocol.AppendResponse{Match: match, Round: r.heardRound, Incarnation: r.cfg.Incarnation, Boot: r.cfg.Boot, Unfit: r.fitness != Fit}
}

// compacted forgets where terms begin below what the log can still give.
func (r *Replica) compacted(base protocol.EntryID) {
	if base.Index <= r.log.base.Index {
		return
	}
	if base.Index > min(r.handed, r.writes.stable) || !r.log.has(base) {
		r.violate("the log was compacted up to entry %d of term %d, but only %d entries are durable and handed out to be applied",
			base.Index, base.Term, min(r.handed, r.writes.stable))
		return
	}
	r.log.compact(base)
	r.configurations.compact(base.Index)
}
