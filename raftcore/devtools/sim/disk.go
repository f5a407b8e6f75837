package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// disk is what a member has on stable storage, and the writes that are on their way
// to it. Writes become durable in the order in which they were queued; those that
// were queued when a sync began become durable together, as with one fsync for many.
type disk struct {
	hard     protocol.HardState
	log      memlog.Sequence
	snapshot snapshot // the newest complete one; its zero value: none
	machine  state    // of its own value: as a durable state machine flushed it last

	queue []persist
}

// snapshot is a copy of the state machine, which the log may be cut off at.
type snapshot struct {
	meta  protocol.SnapshotMeta
	state state
}

// persist is one queued write: a Persist, or the installation of a snapshot.
type persist struct {
	seq     uint64
	hard    *protocol.HardState
	entries []protocol.Entry
	install *snapshot
	after   []protocol.Message // leave when this write is durable
}

// sync makes the first n queued writes durable and gives them.
func (d *disk) sync(n int) []persist {
	done := d.queue[:n:n]
	d.queue = d.queue[n:]
	for i := range done {
		d.write(done[i])
	}
	return done
}

func (d *disk) write(p persist) {
	if p.hard != nil {
		d.hard = *p.hard
	}
	if len(p.entries) > 0 {
		d.log.Insert(p.entries)
	}
	if p.install != nil {
		d.log.Reset(p.install.meta.Last, encodeMembership(p.install.meta.Membership))
	}
}

// crash loses the queue. Some of its first writes may have reached the disk, and a
// part of the one after them: first its HardState, then entries from the front.
func (d *disk) crash(r random) {
	d.sync(r.IntN(len(d.queue) + 1))
	if len(d.queue) > 0 && r.percent(50) {
		d.tear(r.IntN(len(d.queue[0].entries) + 1))
	}
	d.queue = nil
}

// tear lets the first queued write reach the disk up to its n-th entry, and loses the rest.
func (d *disk) tear(n int) {
	torn := d.queue[0]
	torn.install = nil
	torn.entries = torn.entries[:n]
	d.write(torn)
	d.queue = nil
}

// recover gives what a member starts from: the log, brought in line with the newest
// snapshot when the crash came between its arrival and its installation, and the
// state machine.
func (d *disk) recover(initial protocol.Membership, empty state, durableMachine bool) (replica.Restore, state) {
	snap := d.snapshot
	if term, ok := d.log.Term(snap.meta.Last.Index); snap.meta.Last.Index > d.log.Base().Index && (!ok || term != snap.meta.Last.Term) {
		d.log.Reset(snap.meta.Last, encodeMembership(snap.meta.Membership)) // it conflicts with the snapshot, or ends before it (paper section 7)
	}
	if snap.meta.Last.Index == 0 {
		snap.meta.Membership, snap.state = initial, empty
	}
	machine := snap.state
	if durableMachine && d.machine.last.Index > machine.last.Index {
		machine = d.machine
	}
	log := d.log.State()
	damaged := d.log.Damaged()
	log.Configurations = slices.DeleteFunc(log.Configurations, func(e protocol.Entry) bool { return slices.Contains(damaged, e.ID()) })
	return replica.Restore{Hard: d.hard, Log: log, Applied: machine.last, Membership: snap.meta.Membership, MembershipAt: snap.meta.Last.Index}, machine.copy()
}

// loseLog takes entries from the end of the log, but none that the snapshot has, and
// tells which entry is the last now and which was before.
func (d *disk) loseLog(r random) (keep, had protocol.Index) {
	low := max(d.log.Base().Index, d.snapshot.meta.Last.Index)
	had = d.log.Last().Index
	if had <= low {
		return had, had
	}
	keep = low + protocol.Index(r.IntN(int(had-low)))
	d.log.Truncate(keep)
	if d.machine.last.Index > keep {
		d.machine = d.snapshot.state
	}
	return keep, had
}
