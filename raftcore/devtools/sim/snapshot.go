package sim

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// takeSnapshot freezes the state machine; when the snapshot is durable the log may be
// cut, with a tail kept for laggards.
func (m *member) takeSnapshot() {
	s := m.freeze()
	if s.meta.Last.Index <= m.disk.snapshot.meta.Last.Index {
		return
	}
	keep := protocol.Index(m.c.faults.machines.IntN(6))
	m.after(m.c.network.syncTime(), func() {
		if s.meta.Last.Index <= m.disk.snapshot.meta.Last.Index {
			return // a newer one has arrived meanwhile
		}
		m.disk.snapshot = s
		m.compact(s.meta.Last.Index - min(keep, s.meta.Last.Index))
	})
}

// compact forgets entries that a durable snapshot has.
func (m *member) compact(upTo protocol.Index) {
	if upTo <= m.log.Base().Index || upTo > m.log.Last().Index {
		return
	}
	base := m.log.Compact(upTo)
	m.disk.log.Compact(min(upTo, m.disk.log.Last().Index))
	m.c.coverage.Compactions++
	m.c.note(m, "cuts its log up to %v", base)
	m.step(replica.Compacted{Base: base})
}

func (m *member) freeze() snapshot {
	return snapshot{meta: protocol.SnapshotMeta{Last: m.machine.last, Membership: m.c.membership(), Size: 1}, state: m.machine}
}

// sendSnapshot carries a whole snapshot to a follower: the newest that is stored, or a
// fresh one. The transfer can fail at every point.
func (m *member) sendSnapshot(to *member) {
	s := m.disk.snapshot
	if s.meta.Last.Index == 0 || m.c.faults.machines.percent(30) {
		s = m.freeze()
	}
	term := m.term
	m.c.note(m, "sends a snapshot up to %v to member %d", s.meta.Last, to.id)
	m.c.network.transfer(m, to, func(again bool) {
		to.receiveSnapshot(replica.SnapshotReceived{From: m.id, Term: term, Meta: s.meta}, s)
		if again {
			to.step(replica.SnapshotReceived{From: m.id, Term: term, Meta: s.meta})
		}
	}, func(ok bool) {
		m.step(replica.SnapshotSent{To: to.id, Last: s.meta.Last, OK: ok})
	})
}

// receiveSnapshot stores a snapshot that has arrived, durably, then tells the replica.
func (m *member) receiveSnapshot(in replica.SnapshotReceived, s snapshot) {
	if s.meta.Last.Index > m.disk.snapshot.meta.Last.Index {
		m.disk.snapshot = s
	}
	m.received = s
	m.step(in)
}

// install queues the replacement of the log by the snapshot that was just received.
// That need not be the newest one on disk: a former leader's may have come too late to
// be wanted.
func (m *member) install(in *replica.Install) {
	s := m.received
	if s.meta.Last != in.Meta.Last {
		m.c.fail(Invariants, "member %d installs a snapshot up to %v, but what it received is up to %v", m.id, in.Meta.Last, s.meta.Last)
		return
	}
	m.c.note(m, "installs the snapshot up to %v", s.meta.Last)
	m.c.check.installing(m, s.meta.Last)
	m.log.Reset(s.meta.Last)
	m.disk.queue = append(m.disk.queue, persist{seq: in.Seq, install: &s})
}

// installed makes the snapshot the state machine's state: the log was emptied.
func (m *member) installed(s *snapshot) {
	if n := len(m.toApply); n > 0 {
		m.apply(n)
	}
	m.c.check.restoring(m, s)
	m.machine = s.state
	m.disk.machine = s.state
	m.c.coverage.Snapshots++
	m.c.clients.release(m)
}
