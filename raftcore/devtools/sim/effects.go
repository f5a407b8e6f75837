package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// fulfil does what a Step asked for, and reports false when the member crashed on the way.
// The order is that of the duties in the comment of package replica; no other input is
// stepped before it is through, for the slices belong to the next Step.
func (m *member) fulfil(e *replica.Effects) bool {
	if e.State != nil {
		m.changed(*e.State)
	}
	if !m.queue(e) {
		return false
	}
	m.c.network.send(m, e.Send)
	if e.Persist != nil && len(e.Send) > 0 && !m.passes(SentBeforeWrite, m.forgetWrite) {
		return false
	}
	m.sync()
	m.afterPersist(e.SendAfterPersist)
	m.enqueue(e.Apply)
	if len(e.Apply) > 0 && !m.passes(ApplyGiven) {
		return false
	}
	for _, f := range e.Fetch {
		m.fetch(f)
	}
	if len(e.Fetch) > 0 && !m.passes(FetchAsked) {
		return false
	}
	for _, to := range e.SendSnapshot {
		m.sendSnapshot(to)
	}
	m.answerClients(e)
	for _, a := range e.Changes {
		m.c.answered(m, a)
	}
	if e.Membership != nil {
		m.told(e.Membership)
	}
	return true
}

func (m *member) answerClients(e *replica.Effects) {
	for _, r := range e.Reads {
		m.c.clients.confirmed(m, r)
	}
	for _, id := range e.ReadsRefused {
		m.c.clients.readRefused(id)
	}
	for _, r := range e.Refused {
		m.c.clients.writesRefused(r)
	}
}

func (m *member) changed(s replica.StateChange) {
	elected := s.Role == replica.Leader && (m.role != replica.Leader || m.term != s.Term)
	m.role, m.term, m.leader = s.Role, s.Term, s.Leader
	m.c.trace.add(m.c.clock.now, m.id, s)
	if elected {
		m.c.check.elected(m)
		m.c.faults.elected(m)
	}
}

// queue queues what is to be made durable.
func (m *member) queue(e *replica.Effects) bool {
	if p := e.Persist; p != nil {
		w := persist{seq: p.Seq, entries: slices.Clone(p.Entries)}
		if p.Hard != nil {
			hard := *p.Hard
			w.hard = &hard
		}
		m.c.trace.add(m.c.clock.now, m.id, w)
		m.c.check.writing(m, w)
		if len(w.entries) > 0 {
			m.insert(w.entries)
		}
		m.disk.queue = append(m.disk.queue, w)
		return m.passes(PersistGiven, m.forgetWrite)
	}
	if in := e.Install; in != nil {
		m.install(in)
		return m.passes(InstallGiven, m.forgetWrite)
	}
	return true
}

// insert gives entries to the log, and notes the configuration that is in effect then.
func (m *member) insert(entries []protocol.Entry) {
	cut := m.log.Insert(entries)
	m.c.coverage.cut(cut)
	if cut > 0 || slices.ContainsFunc(entries, func(e protocol.Entry) bool { return e.Kind == protocol.EntryConfiguration }) {
		m.reconfigure()
	}
}

// forgetWrite takes back the last write that was queued: it was not begun.
func (m *member) forgetWrite() { m.disk.queue = m.disk.queue[:len(m.disk.queue)-1] }

// sync begins to make durable what is queued, unless that is going on already.
func (m *member) sync() {
	if m.syncing || len(m.disk.queue) == 0 {
		return
	}
	m.syncing = true
	n := len(m.disk.queue)
	m.after(m.c.network.syncTime(), func() { m.syncEnds(n) })
}

// syncEnds is called when a sync should have come to its end.
func (m *member) syncEnds(n int) {
	if left := m.hangs - m.c.clock.now; left > 0 {
		m.after(left, func() { m.syncEnds(n) })
		return
	}
	if !m.syncFails() {
		m.synced(n)
	}
}

// synced is called when the first n queued writes have become durable.
func (m *member) synced(n int) {
	if w := m.disk.queue[0]; w.hard != nil && len(w.entries) > 0 {
		if !m.passes(VoteBeforeLog, func() { m.disk.tear(0) }) {
			return
		}
	}
	done := m.disk.sync(n)
	m.syncing, m.stalled = false, 0
	if !m.passes(DurableNotTold) {
		return
	}
	m.sync()
	last := done[n-1].seq
	m.c.observe(Observation{Moment: Durable, Member: m.id, Seq: last})
	for _, w := range done {
		if !m.sendHeld(w.after) || w.install != nil && !m.installed(w.install) {
			return
		}
		if w.install == nil && w.seq != last && m.c.network.disks.percent(50) {
			continue // the next Persisted tells of this one as well
		}
		m.step(replica.Persisted{Seq: w.seq})
	}
}

// sendHeld sends what waited for a write.
func (m *member) sendHeld(messages []protocol.Message) bool {
	if m.raft == nil {
		return false
	}
	for i := range messages {
		if i > 0 && !m.passes(BetweenHeld) {
			return false
		}
		m.c.network.send(m, messages[i:i+1])
	}
	return len(messages) == 0 || m.passes(HeldNotTold)
}

// afterPersist sends messages once all that was queued until now is durable.
func (m *member) afterPersist(messages []protocol.Message) {
	if len(messages) == 0 {
		return
	}
	if n := len(m.disk.queue); n > 0 {
		w := &m.disk.queue[n-1]
		w.after = append(w.after, messages...)
		return
	}
	m.c.network.send(m, messages)
}

// enqueue gives entries to the state machine, which applies them a moment later.
func (m *member) enqueue(entries []protocol.Entry) {
	if len(entries) == 0 {
		return
	}
	idle := len(m.toApply) == 0
	m.toApply = append(m.toApply, entries...)
	if idle {
		m.after(m.c.faults.applyTime(), m.applySome)
	}
}

func (m *member) applySome() {
	if len(m.toApply) == 0 {
		return
	}
	m.apply(1 + m.c.faults.machines.IntN(len(m.toApply)))
	if !m.passes(AppliedNotTold) {
		return
	}
	if len(m.toApply) > 0 {
		m.after(m.c.faults.applyTime(), m.applySome)
	}
	m.step(replica.Applied{Index: m.machine.last.Index})
}

// apply applies the first n entries that wait.
func (m *member) apply(n int) {
	batch := m.toApply[:n]
	outcomes := make([]outcome, n)
	for i, e := range batch {
		m.c.check.applying(m, e)
		outcomes[i] = m.machine.apply(e)
		m.c.check.applied(m, e, outcomes[i])
	}
	m.c.work.apply(m, batch, outcomes)
	for i, e := range batch {
		m.c.clients.applied(m, e, outcomes[i])
	}
	m.toApply = m.toApply[n:]
	m.c.clients.release(m)
	if m.c.faults.machines.percent(20) {
		m.disk.machine = m.machine.copy() // a durable state machine flushes when it likes
	}
}

// fetch reads entries, after a while, from the log as it is then. A slow disk may fail to
// give a follower's entries; that it fails for good is not simulated.
func (m *member) fetch(f replica.Fetch) {
	m.after(m.c.network.syncTime()/4, func() {
		m.c.coverage.Fetches++
		in := replica.Fetched{Fetch: f, Err: f.From <= m.log.Base().Index || f.To > m.log.Last().Index || f.For != 0 && m.c.network.readFails()}
		if !in.Err {
			in.Entries = m.log.Read(f.From, f.To, f.MaxBytes)
			in.Err = !m.reads(in.Entries)
		}
		m.step(in)
	})
}
