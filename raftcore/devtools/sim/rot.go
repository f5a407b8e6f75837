package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/repair"
	"github.com/quorate/quorate/raftcore/replica"
)

// rot damages a record of a member's log, where a quorum of others has everything that the
// member has: what it is worth to survive. The record stays nameable; nobody knows of
// it before it is read, or the member starts.
func (f *faults) rot() {
	m := f.victim()
	if m == nil || !f.c.spare(m) {
		return
	}
	base, last := m.disk.log.Base().Index, m.disk.log.Last().Index
	if last <= base {
		return
	}
	at := base + 1 + protocol.Index(f.r.IntN(int(last-base)))
	term, _ := m.disk.log.Term(at)
	if now, ok := m.log.Term(at); !ok || now != term {
		return // it is being overwritten
	}
	f.c.struck(Rot)
	f.c.note(m, "the record of entry %d of term %d rots", at, term)
	m.disk.log.Damage(at)
	m.log.Damage(at)
	if f.r.percent(50) {
		m.crash()
		f.restartLater(m)
	}
}

// rotVote damages both copies of a member's vote: it never votes again, under this ID.
func (f *faults) rotVote() {
	m := f.victim()
	if m == nil || !f.c.spare(m) {
		return
	}
	f.c.struck(VoteRot)
	f.c.note(m, "both copies of its vote rot: it stays down for good")
	m.gone = true
	m.crash()
}

func (m *member) newRepairer() *repair.Repairer {
	return repair.New(repair.Config{AskTicks: 5, PatienceTicks: 40, MaxEntries: 3})
}

// mend asks the other members for what is known to be damaged, as package host does.
func (m *member) mend() {
	if m.raft == nil || !m.suspects {
		return
	}
	damaged := m.log.Damaged()
	if m.suspects = len(damaged) > 0; !m.suspects {
		m.step(replica.Repaired{Configurations: m.log.State().Configurations})
		return
	}
	peers := slices.DeleteFunc(everybody(m.config), func(id protocol.MemberID) bool { return id == m.id })
	v := repair.View{Damaged: damaged, Leader: m.leader, Peers: peers}
	to, ask := m.repairer.Tick(v)
	if id, lost := m.repairer.Lost(v); lost {
		m.c.coverage.Unrepairable++
		m.c.note(m, "nobody has entry %v any more: it stays down for good", id)
		m.gone = true
		m.crash()
		return
	}
	if to != 0 {
		m.c.network.send(m, []protocol.Message{{From: m.id, To: to, Body: ask}})
	}
}

// giveRepair answers another member's request.
func (m *member) giveRepair(from protocol.MemberID, ask *protocol.RepairRequest) {
	m.after(m.c.network.syncTime()/4, func() {
		answer := repair.Answer(ask, m.forRepair, max(1, m.c.options.MaxMessageBytes), m.c.options.mutation)
		m.c.network.send(m, []protocol.Message{{From: m.id, To: from, Body: answer}})
	})
}

func (m *member) forRepair(id protocol.EntryID) (protocol.Entry, repair.Found) {
	if id.Index <= m.log.Base().Index || id.Index > m.log.Last().Index {
		return protocol.Entry{}, repair.Absent
	}
	es := m.log.Read(id.Index, id.Index, 1)
	if len(es) == 0 {
		m.suspects = true
		return protocol.Entry{}, repair.Unsure
	}
	return es[0], repair.Present
}

// takeRepair writes what another member has given. What an entry is follows from its term and
// index (paper figure 3, Log Matching): anything else is refused.
func (m *member) takeRepair(from protocol.MemberID, answer *protocol.RepairResponse) {
	for _, e := range m.repairer.Take(from, answer) {
		m.c.check.repairing(m, e)
		m.after(m.c.network.syncTime(), func() {
			if m.disk.log.Repair(e) == nil && m.log.Repair(e) == nil {
				m.c.coverage.Repaired++
				m.c.note(m, "entry %v is repaired", e.ID())
			}
		})
	}
}

// repairing checks that what repairs a record is what was written there.
func (k *checker) repairing(m *member, e protocol.Entry) {
	if n, known := k.tree[e.ID()]; !known || n.digest != digest(e) {
		k.c.fail(LogMatching, "member %d repairs entry %v with something else", m.id, e.ID())
	}
}

// reads notes that the member met damage. It reports whether there was something to read.
func (m *member) reads(es []protocol.Entry) bool {
	if len(es) == 0 {
		m.suspects = true
	}
	return len(es) > 0
}

// fitness is what the member finds about itself: whose disk hangs, or whose log is damaged,
// must not lead.
func (m *member) fitness() replica.FitnessLevel {
	switch {
	case m.stalled >= m.c.options.ElectionTicks || m.suspects && len(m.log.Damaged()) > 0:
		return replica.Unable
	case m.weak > m.c.clock.now || m.full > m.c.clock.now:
		return replica.Unfit
	}
	return replica.Fit
}
