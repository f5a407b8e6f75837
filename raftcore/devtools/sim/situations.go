package sim

import (
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Read lets a client read at a member.
func (c *Cluster) Read(id protocol.MemberID) { c.guard(func() { c.clients.read(c.member(id)) }) }

// Resign makes a member give up its leadership, as when its disk makes no progress.
func (c *Cluster) Resign(id protocol.MemberID) {
	c.guard(func() { c.member(id).step(replica.Resign{}) })
}

// Change asks a member, if it leads, to change the configuration. Who is in none of the
// configurations at the start cannot be added.
func (c *Cluster) Change(id protocol.MemberID, change membership.Change) {
	c.guard(func() { c.member(id).step(replica.Change{Change: change}) })
}

// Compact lets a member take a snapshot of what it has applied and, when that is durable, cut
// its log: up to five entries before the snapshot's end stay.
func (c *Cluster) Compact(id protocol.MemberID) { c.guard(c.member(id).takeSnapshot) }

// RestoreOlderDisk gives a member that is down a disk that ends earlier, with its term and
// vote, as another incarnation.
func (c *Cluster) RestoreOlderDisk(id protocol.MemberID, last protocol.Index) {
	m := c.member(id)
	m.disk.log.Truncate(last)
	if m.disk.machine.last.Index > last {
		m.disk.machine = m.disk.snapshot.state
	}
	m.incarnation++
	c.note(m, "gets an older disk, which ends at %v", m.disk.log.Last())
}

// Wipe gives a member that is down an empty disk, as another incarnation: its vote is lost too.
func (c *Cluster) Wipe(id protocol.MemberID) {
	m := c.member(id)
	m.swapVolume()
	c.note(m, "gets an empty disk")
}
