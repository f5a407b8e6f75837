package sim

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// hang lets a member's disk finish nothing for a while, though the member goes on.
func (f *faults) hang() {
	m := f.victim()
	if m == nil {
		return
	}
	timeout := Time(f.c.options.ElectionTicks) * tickInterval
	d := f.r.between(timeout/2, 6*timeout)
	m.hangs = f.c.clock.now + d
	f.c.struck(HungDisk)
	f.c.note(m, "its disk hangs for %v", d)
}

// weaken lets a member find for a while that it should rather not lead.
func (f *faults) weaken() {
	m := f.victim()
	if m == nil {
		return
	}
	m.weak = f.c.clock.now + f.r.between(tickInterval, 60*tickInterval)
	f.c.struck(WeakDisk)
	f.c.note(m, "is unfit to lead for %v", m.weak-f.c.clock.now)
}

// failSync lets the next sync of a member fail. After that it trusts nothing that was not
// durable before: it is fenced, and somebody starts it again. What of the failed write
// is on the disk then, nobody knows.
func (f *faults) failSync() {
	if m := f.victim(); m != nil {
		m.failsSync = true
	}
}

// fill lets a member's disk be full for a while. It takes no new commands when it leads, and
// should rather not lead; entries of others it still takes, from a reserve, unless that is
// used up, too.
func (f *faults) fill() {
	m := f.victim()
	if m == nil {
		return
	}
	m.full = f.c.clock.now + f.r.between(tickInterval, 60*tickInterval)
	f.c.struck(FullDisk)
	f.c.note(m, "its disk is full for %v", m.full-f.c.clock.now)
	if f.r.percent(30) {
		m.hangs = m.full
	}
}

// propose gives clients' payloads to the replica, unless the member refuses them for want of
// space, as package host does.
func (m *member) propose(kind protocol.EntryKind, payloads ...[]byte) {
	if m.refusesForSpace() && m.raft != nil {
		m.c.coverage.FullRefused++
		m.c.clients.writesRefused(replica.Refusal{Reason: replica.DiskFull, Payloads: payloads})
		return
	}
	m.step(replica.Propose{Kind: kind, Payloads: payloads})
}

func (m *member) refusesForSpace() bool { return m.role == replica.Leader && m.full > m.c.clock.now }

// refusesForward answers commands that a follower has handed on, when there is no space.
func (m *member) refusesForward(msg protocol.Message) bool {
	f, ok := msg.Body.(*protocol.Forward)
	if !ok || msg.Term != m.term || !m.refusesForSpace() {
		return false
	}
	m.c.coverage.FullRefused++
	m.c.network.send(m, []protocol.Message{{From: m.id, To: msg.From, Term: msg.Term, Body: &protocol.ForwardRefused{ID: f.ID, Reason: protocol.DiskFull}}})
	return true
}

// syncFails reports whether the sync that has just ended has failed.
func (m *member) syncFails() bool {
	if !m.failsSync {
		return false
	}
	m.c.struck(SyncError)
	m.c.note(m, "a sync fails: it is fenced")
	m.crash()
	m.c.faults.restartLater(m)
	return true
}

// watchDisk tells the replica at each tick how fit it is to lead, as package host does: a
// member whose disk has finished nothing for an election timeout must not lead.
func (m *member) watchDisk() {
	if m.raft == nil {
		return
	}
	if m.syncing {
		m.stalled++
	}
	m.c.check.hung(m)
	m.judge()
}

// judge tells the replica when its fitness has changed.
func (m *member) judge() {
	if level := m.fitness(); level != m.fit && m.raft != nil {
		m.fit = level
		m.c.coverage.Fitness[level]++
		m.step(replica.Fitness{Level: level})
	}
}

// hung checks that a leader whose disk hangs is none any more after another election
// timeout: it hands over, or resigns.
func (k *checker) hung(m *member) {
	if m.role == replica.Leader && m.stalled > 2*k.c.options.ElectionTicks+1 {
		k.c.fail(Fitness, "member %d leads term %d, though its disk has finished nothing for %d ticks; an election timeout is %d", m.id, m.term, m.stalled, k.c.options.ElectionTicks)
	}
}
