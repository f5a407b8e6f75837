package sim

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// takeSnapshot freezes the state machine, which goes on; when the snapshot is durable the
// log may be cut, with a tail kept for laggards.
func (m *member) takeSnapshot() {
	s, write := m.freeze()
	if s.meta.Last.Index <= m.disk.snapshot.meta.Last.Index {
		return
	}
	keep := protocol.Index(m.c.faults.machines.IntN(6))
	m.after(m.c.network.syncTime(), func() {
		if s.meta.Last.Index <= m.disk.snapshot.meta.Last.Index {
			return // a newer one has arrived meanwhile
		}
		s.state.frozen = write()
		m.disk.snapshot = s
		if m.passes(SnapshotTaken) {
			m.compact(s.meta.Last.Index - min(keep, s.meta.Last.Index))
		}
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
	if m.passes(LogCut) {
		m.step(replica.Compacted{Base: base})
	}
}

// freeze gives a snapshot of what is applied now, and what writes the user's machine, when
// there is one.
func (m *member) freeze() (s snapshot, write func() []byte) {
	s = snapshot{meta: protocol.SnapshotMeta{Last: m.machine.last, Membership: m.membership(m.machine.config)}, state: m.machine.copy()}
	return s, m.c.work.freeze(m)
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
	m.log.Reset(s.meta.Last, encodeMembership(s.meta.Membership))
	m.reconfigure()
	m.disk.queue = append(m.disk.queue, persist{seq: in.Seq, install: &s})
}

// installed makes the snapshot the state machine's state: the log was emptied.
func (m *member) installed(s *snapshot) bool {
	if !m.passes(LogReset) {
		return false
	}
	if n := len(m.toApply); n > 0 {
		m.apply(n)
	}
	m.c.check.restoring(m, s)
	m.machine = s.state.copy()
	m.c.work.restore(m)
	m.disk.machine = s.state
	m.c.coverage.Snapshots++
	m.c.clients.release(m)
	return m.passes(MachineRestored)
}
