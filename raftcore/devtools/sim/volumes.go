package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// recordsVolumes reports whether leaders record the volumes that they hear, as those of package
// host do with RecordIncarnations.
func (c *Cluster) recordsVolumes() bool { return c.options.Faults&NewVolume != 0 }

// recordVolumes lets a leader record, with each heartbeat, what is not recorded yet.
func (m *member) recordVolumes() {
	if !m.c.recordsVolumes() || m.raft == nil || m.role != replica.Leader || m.ticks%m.c.options.HeartbeatTicks != 0 {
		return
	}
	if heard := m.raft.Status().Unrecorded(m.incarnation); len(heard) > 0 {
		m.step(replica.Change{Change: membership.Change{Update: heard}})
	}
}

// swapVolume gives a member that is down an empty volume.
func (m *member) swapVolume() {
	m.former, m.disk = m.disk.log, disk{}
	m.incarnation++
	m.volume++
}

// newVolume lets a member come back with an empty volume under its ID. What it has
// acknowledged and voted is forgotten, also where only a minority has it beside the member:
// that is survived because the others know which volume was the member's.
func (f *faults) newVolume() {
	m := f.victim()
	if m == nil || !f.c.mayForget(m) {
		return
	}
	f.c.struck(NewVolume)
	m.crash()
	m.swapVolume()
	f.c.note(m, "its volume is empty, under the same ID")
	f.restartLater(m)
}

// mayForget reports whether the member's volume is recorded on the disks of all others, and they
// can go on without it.
func (c *Cluster) mayForget(m *member) bool {
	k := &c.check
	if x, in := k.config.Find(m.id); !in || x.Incarnation != m.incarnation || !k.settled() {
		return false
	}
	unaware := func(id protocol.MemberID) bool {
		other := c.member(id)
		return other != m && !other.gone && !k.holds(&other.disk.log, k.configAt)
	}
	return !slices.ContainsFunc(everybody(k.config), unaware) &&
		reached(k.config, func(id protocol.MemberID) bool { return id != m.id && c.isSound(id) })
}

// had reports whether a member's disk has the entry, or the volume before it had: what that one
// acknowledged counts, because those who could be elected without the entry lack its vote.
func (k *checker) had(id protocol.MemberID, e protocol.EntryID) bool {
	m := k.c.member(id)
	return k.holds(&m.disk.log, e) || m.volume > 0 && k.holds(&m.former, e)
}

// fenceVolume ends a member that has learned that another volume is recorded under its ID.
func (m *member) fenceVolume() {
	m.after(0, func() {
		m.c.coverage.Fenced++
		m.c.note(m, "another volume is recorded for it: it stays down for good")
		m.gone = true
		m.crash()
	})
}
