package sim

import "github.com/quorate/quorate/raftcore/replica"

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
	if level := m.fitness(); level != m.fit {
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
