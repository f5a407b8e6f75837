package sim

import (
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/session"
)

// checker knows the history of the whole cluster and checks each step against it.
// Every check costs a constant time for each entry written, committed or applied.
type checker struct {
	c              *Cluster
	tree           tree
	leaders        map[protocol.Term]election
	highest        protocol.Term             // of leaders
	committed      []commitment              // committed[i-1] is the entry of index i
	digests        []uint64                  // digests[i-1] is that of the state after index i
	values         map[uint64]protocol.Index // where it was executed
	answers        map[uint64]uint64         // what came of it
	alive          map[uint64]Time           // when a leader wrote a session's last sign of life
	votes          map[ballot]protocol.MemberID
	config         protocol.Membership         // that was committed last
	configAt       protocol.EntryID            // its entry
	removed        map[protocol.MemberID]bool  // were members once
	configurations map[protocol.EntryID][]byte // all that were ever written
}

type election struct {
	leader protocol.MemberID
	life   int
	last   protocol.EntryID // of the leader's log when it was elected
}

type commitment struct {
	id protocol.EntryID
	in protocol.Term // of the leader that was the first to say so
	at Time
}

// ballot is a member's only vote of a term; a new volume has forgotten those of the one before.
type ballot struct {
	voter  protocol.MemberID
	volume int
	term   protocol.Term
}

func newChecker(c *Cluster) checker {
	return checker{c: c, tree: tree{}, leaders: map[protocol.Term]election{}, values: map[uint64]protocol.Index{}, answers: map[uint64]uint64{}, alive: map[uint64]Time{}, votes: map[ballot]protocol.MemberID{}, config: c.founders(), removed: map[protocol.MemberID]bool{}, configurations: map[protocol.EntryID][]byte{}}
}

// started checks what a member starts from.
func (k *checker) started(m *member) {
	s := m.raft.Status()
	m.role, m.term, m.leader, m.commit = s.Role, s.Term, s.Leader, s.Commit
	if m.term < m.disk.hard.Term {
		k.c.fail(Order, "member %d starts in term %d, its disk has term %d", m.id, m.term, m.disk.hard.Term)
	}
	for i := m.machine.last.Index + 1; i <= m.commit; i++ {
		k.commit(m, i)
	}
}

// stepped checks a member after a step: indexes and terms go up, a commit is backed by
// a quorum's disks, and the replica's own invariants hold.
func (k *checker) stepped(m *member, was replica.StateChange) {
	s := m.raft.Status()
	if told := (replica.StateChange{Role: s.Role, Term: s.Term, Leader: s.Leader}); told != (replica.StateChange{Role: m.role, Term: m.term, Leader: m.leader}) {
		k.c.fail(Invariants, "member %d is %v and did not tell", m.id, told)
	}
	oldCommit := m.commit
	m.commit = s.Commit
	if s.Term < was.Term || s.Commit < oldCommit {
		k.c.fail(Order, "member %d goes from term %d, commit %d back to term %d, commit %d", m.id, was.Term, oldCommit, s.Term, s.Commit)
	}
	for i := oldCommit + 1; i <= m.commit && k.c.failure == nil; i++ {
		k.commit(m, i)
	}
	if err := m.raft.CheckInvariants(); err != nil {
		k.c.fail(Invariants, "member %d: %v", m.id, err)
	}
}

// elected checks Election Safety, and Leader Completeness for all that was committed
// in lower terms: by Log Matching it is enough to look at the last of it.
func (k *checker) elected(m *member) {
	if !m.votes() && k.c.options.Faults&Changes == 0 {
		k.c.fail(ElectionSafety, "member %d, a learner, is elected in term %d", m.id, m.term)
	}
	now := election{leader: m.id, life: m.life, last: m.log.Last()}
	if was, again := k.leaders[m.term]; again && (was.leader != now.leader || was.life != now.life) {
		k.c.fail(ElectionSafety, "member %d is elected in term %d, as member %d was", m.id, m.term, was.leader)
		return
	}
	k.leaders[m.term] = now
	k.highest = max(k.highest, m.term)
	k.c.coverage.Elections++
	last := len(k.committed)
	for last > 0 && k.committed[last-1].in >= m.term {
		last--
	}
	if last > 0 {
		k.complete(m.term, now, k.committed[last-1])
	}
}

// complete checks that the leader elected in a term had a commitment of a lower one.
func (k *checker) complete(term protocol.Term, e election, c commitment) {
	if !k.tree.reaches(e.last, c.id) {
		k.c.fail(LeaderCompleteness, "entry %v was committed in term %d, but member %d, elected in term %d with a log up to %v, does not have it", c.id, c.in, e.leader, term, e.last)
	}
}

// writing checks entries that a member is about to write to its log: Leader
// Append-Only and Log Matching.
func (k *checker) writing(m *member, w persist) {
	if w.hard != nil && w.hard.Term < m.disk.hard.Term {
		k.c.fail(Order, "member %d writes term %d, its disk has term %d", m.id, w.hard.Term, m.disk.hard.Term)
	}
	if len(w.entries) == 0 {
		return
	}
	first := w.entries[0].Index
	prev, ok := m.log.Term(first - 1)
	if !ok {
		k.c.fail(Invariants, "member %d writes at index %d, its log is (%v, %v]", m.id, first, m.log.Base(), m.log.Last())
		return
	}
	if m.role == replica.Leader && first <= m.log.Last().Index {
		k.c.fail(LeaderAppendOnly, "member %d, leader of term %d, writes at index %d, its log ends at %v", m.id, m.term, first, m.log.Last())
	}
	for i, e := range w.entries {
		if e.Index != first+protocol.Index(i) {
			k.c.fail(Invariants, "member %d writes entry %v at index %d", m.id, e.ID(), first+protocol.Index(i))
			return
		}
		if err := k.tree.add(prev, e, k.c.clock.now); err != nil {
			k.c.fail(LogMatching, "member %d writes: %v", m.id, err)
			return
		}
		if e.Kind == protocol.EntryConfiguration {
			k.configurations[e.ID()] = e.Payload
			if m.role == replica.Leader {
				k.overlap(m, m.config, m.membership(e.Payload))
			}
		}
		prev = e.Term
	}
}

// commit checks that index i, which a member has begun to take for committed, may be.
func (k *checker) commit(m *member, i protocol.Index) {
	if int(i) <= len(k.committed) {
		if term, ok := m.log.Term(i); ok && term != k.committed[i-1].id.Term {
			k.c.fail(StateMachineSafety, "member %d takes entry %d of term %d for committed, but %v was", m.id, i, term, k.committed[i-1].id)
		}
		return
	}
	term, ok := m.log.Term(i)
	if !ok || m.role != replica.Leader || int(i) != len(k.committed)+1 {
		k.c.fail(QuorumDisks, "member %d, not leading, takes index %d for committed, the leaders did not beyond %d", m.id, i, len(k.committed))
		return
	}
	now := commitment{id: protocol.EntryID{Term: term, Index: i}, in: m.term, at: k.c.clock.now}
	k.committed = append(k.committed, now)
	k.c.coverage.Commits++
	if !reached(m.config, func(id protocol.MemberID) bool { return k.had(id, now.id) }) {
		k.c.fail(QuorumDisks, "member %d, leader of term %d, commits %v, which no majority of %+v has on disk", m.id, m.term, now.id, m.config)
	}
	if payload, ok := k.configurations[now.id]; ok {
		k.configured(m, i, payload)
	}
	for term := m.term + 1; term <= k.highest; term++ {
		if e, ok := k.leaders[term]; ok {
			k.complete(term, e, now)
		}
	}
}

// holds reports whether a log has the entry, or has compacted it away.
func (k *checker) holds(log *memlog.Sequence, id protocol.EntryID) bool {
	if id.Index <= log.Base().Index {
		return k.isCommitted(id)
	}
	term, ok := log.Term(id.Index)
	return ok && term == id.Term
}

func (k *checker) isCommitted(id protocol.EntryID) bool {
	return id.Index == 0 || int(id.Index) <= len(k.committed) && k.committed[id.Index-1].id == id
}

// applying checks State Machine Safety for the entry that a member is about to apply.
func (k *checker) applying(m *member, e protocol.Entry) {
	i := e.Index
	if i != m.machine.last.Index+1 {
		k.c.fail(Order, "member %d applies index %d after %d", m.id, i, m.machine.last.Index)
		return
	}
	if !k.isCommitted(e.ID()) {
		k.c.fail(StateMachineSafety, "member %d applies entry %v, which is not committed", m.id, e.ID())
		return
	}
	if !k.holds(&m.disk.log, e.ID()) {
		k.c.fail(Promises, "member %d applies entry %v, which is not on its disk", m.id, e.ID())
	}
}

// applied compares the state after an entry with that of others, and looks at what came of
// an entry when it is applied for the first time in the cluster.
func (k *checker) applied(m *member, e protocol.Entry, o outcome) {
	i := int(e.Index)
	if i <= len(k.digests) {
		if k.digests[i-1] != m.machine.digest {
			k.c.fail(StateMachineSafety, "member %d is in another state after index %d than others were", m.id, i)
		}
		return
	}
	k.digests = append(k.digests, m.machine.digest)
	switch e.Kind {
	case protocol.EntryCommand:
		k.first(e, o)
	case protocol.EntrySession:
		k.firstChange(e, o)
	}
}

// first looks at a command that is applied for the first time in the cluster.
func (k *checker) first(e protocol.Entry, o outcome) {
	w := decodeWrite(e.Payload)
	if w.client != 0 {
		k.inSession(e, w, o)
	}
	if o.verdict != session.Execute {
		return
	}
	if at, again := k.values[w.value]; again {
		k.c.fail(ClientsView, "the write %v is executed at index %d and again at %d", w, at, e.Index)
	}
	k.values[w.value] = e.Index
	k.answers[w.value] = o.answer
	if k.c.clients.wasRefused(w.value) {
		k.c.fail(ClientsView, "the write %v was refused, but is executed at index %d", w, e.Index)
	}
	k.c.clients.executed(w.value, e.Index, k.committed[e.Index-1].at)
}

// installing checks a snapshot that takes the place of a log.
func (k *checker) installing(m *member, last protocol.EntryID) {
	if m.role == replica.Leader {
		k.c.fail(LeaderAppendOnly, "member %d, leader of term %d, replaces its log by a snapshot", m.id, m.term)
	}
	if !k.isCommitted(last) {
		k.c.fail(StateMachineSafety, "member %d installs a snapshot up to %v, which is not committed", m.id, last)
	}
}

// restoring checks a snapshot that takes the place of a state machine's state.
func (k *checker) restoring(m *member, s *snapshot) {
	if s.meta.Last.Index < m.machine.last.Index {
		k.c.fail(Order, "member %d goes back from applied index %d to a snapshot up to %d", m.id, m.machine.last.Index, s.meta.Last.Index)
	}
}
