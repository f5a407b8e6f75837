package spec

import (
	"github.com/quorate/quorate/raftcore/protocol"
)

// This file has the specification's actions, in its order and with its names. i is the
// server that acts, j the other one, m the message.

// Restart is in restart.go, since what survives is what was durable.

// Timeout begins an election.
func (c *Check) Timeout(i server) error {
	v := c.servers[i]
	if v.state != follower && v.state != candidate {
		return disabled("Timeout", "state[%d] is %v", i, v.state)
	}
	v.state = candidate
	v.currentTerm++
	v.votedFor = 0 // the specification lets the candidate ask itself; see voteForItself
	v.votesResponded, v.votesGranted = map[server]bool{}, map[server]bool{}
	return c.did("Timeout")
}

// RequestVote asks j for its vote.
func (c *Check) RequestVote(i, j server, m protocol.Message, ask *protocol.VoteRequest) error {
	v := c.servers[i]
	switch {
	case v.state != candidate:
		return disabled("RequestVote", "state[%d] is %v", i, v.state)
	case v.votesResponded[j]:
		return disabled("RequestVote", "%d is in votesResponded[%d]", j, i)
	case m.Term != v.currentTerm || ask.Last != v.log.last():
		return disabled("RequestVote", "it has mterm %d and ends in %v, but currentTerm[%d] is %d and the log ends in %v", m.Term, ask.Last, i, v.currentTerm, v.log.last())
	}
	return c.did("RequestVote")
}

// AppendEntries sends j entries from the log, none for a heartbeat.
func (c *Check) AppendEntries(i, j server, m protocol.Message, req *protocol.AppendRequest) error {
	v := c.servers[i]
	switch {
	case i == j || v.state != leader || m.Term != v.currentTerm:
		return disabled("AppendEntries", "state[%d] is %v in term %d, mterm is %d, to %d", i, v.state, v.currentTerm, m.Term, j)
	case !v.log.has(req.Prev):
		return disabled("AppendEntries", "mprevLogIndex %d has term %d in log[%d], not %d", req.Prev.Index, v.log.term(req.Prev.Index), i, req.Prev.Term)
	case req.Commit > v.commitIndex:
		return disabled("AppendEntries", "mcommitIndex is %d, commitIndex[%d] is %d", req.Commit, i, v.commitIndex)
	}
	for n, e := range req.Entries {
		at := req.Prev.Index + index(n) + 1
		if at > v.log.len() || !same(e, v.log[at-1]) {
			return disabled("AppendEntries", "mentries has %v at %d, log[%d] has term %d there", e.ID(), at, i, v.log.term(at))
		}
	}
	return c.did("AppendEntries")
}

// BecomeLeader ends a candidacy that was won.
func (c *Check) BecomeLeader(i server) error {
	v := c.servers[i]
	switch {
	case v.state != candidate:
		return disabled("BecomeLeader", "state[%d] is %v", i, v.state)
	case !isQuorum(v.membership, func(j server) bool { return v.votesGranted[j] }):
		return disabled("BecomeLeader", "votesGranted[%d] is %v, no quorum of %v", i, v.votesGranted, v.membership)
	}
	if r := c.reigns[v.currentTerm]; r != nil {
		return disabled("BecomeLeader", "server %d was elected in term %d already", r.leader, v.currentTerm)
	}
	v.state = leader
	v.nextIndex, v.matchIndex = map[server]index{}, map[server]index{}
	c.reigns[v.currentTerm] = &reign{leader: i}
	return c.did("BecomeLeader")
}

// ClientRequest appends an entry.
func (c *Check) ClientRequest(i server, e entry) error {
	v := c.servers[i]
	if v.state != leader || e.Term != v.currentTerm || e.Index != v.log.len()+1 {
		return disabled("ClientRequest", "%v; state[%d] is %v in term %d, its log ends in %v", e.ID(), i, v.state, v.currentTerm, v.log.last())
	}
	v.log = append(v.log, e)
	return c.did("ClientRequest")
}

// AdvanceCommitIndex commits what a quorum has, if that is of the leader's term (paper
// figure 8). The leader's own matchIndex is what is durable.
func (c *Check) AdvanceCommitIndex(i server, to index) error {
	v := c.servers[i]
	if v.state != leader {
		return disabled("AdvanceCommitIndex", "state[%d] is %v", i, v.state)
	}
	agrees := func(at index) bool {
		return isQuorum(v.membership, func(k server) bool { return v.matchIndex[k] >= at })
	}
	highest := v.log.len()
	for highest > 0 && !agrees(highest) {
		highest--
	}
	switch {
	case highest == 0 || highest != to:
		return disabled("AdvanceCommitIndex", "to %d; Max(agreeIndexes) is %d by matchIndex[%d] %v of %v", to, highest, i, v.matchIndex, v.membership)
	case v.log.term(highest) != v.currentTerm:
		return disabled("AdvanceCommitIndex", "log[%d][%d] has term %d, currentTerm is %d", i, highest, v.log.term(highest), v.currentTerm)
	}
	v.commitIndex = highest
	return c.recordCommitted(v)
}

// recordCommitted keeps the history of what is committed, which never changes. By Log
// Matching it is enough to compare the last entry that was there before.
func (c *Check) recordCommitted(v *variables) error {
	if at := min(c.committed.len(), v.commitIndex); at > 0 && !same(v.log[at-1], c.committed[at-1]) {
		return disabled("AdvanceCommitIndex", "%v was committed at %d, not %v", c.committed[at-1].ID(), at, v.log[at-1].ID())
	}
	if v.commitIndex > c.committed.len() {
		c.committed = append(c.committed, v.log[c.committed.len():v.commitIndex]...)
	}
	return c.did("AdvanceCommitIndex")
}

// HandleRequestVoteRequest answers a candidate. To refuse where the specification grants is a lost
// request and an answer that tells nothing.
func (c *Check) HandleRequestVoteRequest(i, j server, m protocol.Message, ask *protocol.VoteRequest, granted bool) error {
	v := c.servers[i]
	if m.Term > v.currentTerm {
		return disabled("HandleRequestVoteRequest", "mterm is %d, currentTerm[%d] is %d", m.Term, i, v.currentTerm)
	}
	logOk := ask.Last.Term > v.log.lastTerm() || ask.Last.Term == v.log.lastTerm() && ask.Last.Index >= v.log.len()
	grant := m.Term == v.currentTerm && logOk && (v.votedFor == 0 || v.votedFor == j)
	if granted && !grant {
		return disabled("HandleRequestVoteRequest", "%d grants the vote of mterm %d to %d, whose log ends in %v; it has currentTerm %d, votedFor %d and a log that ends in %v",
			i, m.Term, j, ask.Last, v.currentTerm, v.votedFor, v.log.last())
	}
	if granted {
		v.votedFor = j
	}
	return c.did("HandleRequestVoteRequest")
}

// HandleRequestVoteResponse counts a vote.
func (c *Check) HandleRequestVoteResponse(i, j server, m protocol.Message, granted bool) error {
	v := c.servers[i]
	if m.Term != v.currentTerm {
		return disabled("HandleRequestVoteResponse", "mterm is %d, currentTerm[%d] is %d", m.Term, i, v.currentTerm)
	}
	if v.state == candidate { // else nobody looks
		v.votesResponded[j] = true
		v.votesGranted[j] = v.votesGranted[j] || granted
	}
	return c.did("HandleRequestVoteResponse")
}

func (v *variables) logOk(prev protocol.EntryID) bool { return prev.Index == 0 || v.log.has(prev) }

// RejectAppendEntriesRequest refuses one of an old term, or one that does not fit.
func (c *Check) RejectAppendEntriesRequest(i server, m protocol.Message, prev protocol.EntryID) error {
	v := c.servers[i]
	if m.Term < v.currentTerm || m.Term == v.currentTerm && v.state == follower && !v.logOk(prev) {
		return c.did("RejectAppendEntriesRequest")
	}
	return disabled("RejectAppendEntriesRequest", "mterm is %d, mprevLog %v; state[%d] is %v in term %d, its log ends in %v and has term %d there",
		m.Term, prev, i, v.state, v.currentTerm, v.log.last(), v.log.term(prev.Index))
}

// ReturnToFollowerState ends a candidacy: another one leads this term.
func (c *Check) ReturnToFollowerState(i server, m protocol.Message) error {
	v := c.servers[i]
	if m.Term != v.currentTerm || v.state != candidate {
		return disabled("ReturnToFollowerState", "mterm is %d, state[%d] is %v in term %d", m.Term, i, v.state, v.currentTerm)
	}
	v.state = follower
	return c.did("ReturnToFollowerState")
}

// acceptAppendEntriesRequest is the common guard of the three actions that follow.
func (c *Check) acceptAppendEntriesRequest(action string, i server, m protocol.Message, prev protocol.EntryID) error {
	v := c.servers[i]
	if m.Term != v.currentTerm || v.state != follower || !v.logOk(prev) {
		return disabled(action, "mterm is %d, mprevLog %v; state[%d] is %v in term %d, its log ends in %v and has term %d there",
			m.Term, prev, i, v.state, v.currentTerm, v.log.last(), v.log.term(prev.Index))
	}
	return nil
}

// AppendEntriesAlreadyDone takes a request whose entry, if it has one, is in the log.
func (c *Check) AppendEntriesAlreadyDone(i server, m protocol.Message, prev protocol.EntryID, e *entry, commit index) error {
	const action = "AppendEntriesAlreadyDone"
	if err := c.acceptAppendEntriesRequest(action, i, m, prev); err != nil {
		return err
	}
	v := c.servers[i]
	last := prev.Index
	if e != nil {
		last++
		if v.log.len() < last || !same(v.log[last-1], *e) {
			return disabled(action, "log[%d] has term %d at %d, mentries has %v", i, v.log.term(last), last, e.ID())
		}
	}
	v.commitIndex = max(v.commitIndex, min(commit, last))
	return c.did(action)
}

// ConflictAppendEntriesRequest cuts off the last entry.
func (c *Check) ConflictAppendEntriesRequest(i server, m protocol.Message, prev protocol.EntryID, e entry) error {
	const action = "ConflictAppendEntriesRequest"
	if err := c.acceptAppendEntriesRequest(action, i, m, prev); err != nil {
		return err
	}
	v := c.servers[i]
	if at := prev.Index + 1; v.log.len() < at || v.log.term(at) == e.Term {
		return disabled(action, "log[%d] has term %d at %d, mentries has %v", i, v.log.term(at), at, e.ID())
	}
	if v.commitIndex >= v.log.len() {
		return disabled(action, "log[%d] would lose entry %v, which it knows to be committed", i, v.log.last())
	}
	v.log = v.log[:len(v.log)-1]
	return c.did(action)
}

// NoConflictAppendEntriesRequest appends.
func (c *Check) NoConflictAppendEntriesRequest(i server, m protocol.Message, prev protocol.EntryID, e entry) error {
	const action = "NoConflictAppendEntriesRequest"
	if err := c.acceptAppendEntriesRequest(action, i, m, prev); err != nil {
		return err
	}
	v := c.servers[i]
	if v.log.len() != prev.Index || e.Index != prev.Index+1 {
		return disabled(action, "log[%d] ends in %v, mentries has %v", i, v.log.last(), e.ID())
	}
	v.log = append(v.log, e)
	return c.did(action)
}

// HandleAppendEntriesResponse moves a leader's cursor.
func (c *Check) HandleAppendEntriesResponse(i, j server, m protocol.Message, success bool, match index) error {
	v := c.servers[i]
	if m.Term != v.currentTerm || v.state != leader {
		return disabled("HandleAppendEntriesResponse", "mterm is %d, state[%d] is %v in term %d", m.Term, i, v.state, v.currentTerm)
	}
	if success && match > v.matchIndex[j] {
		v.matchIndex[j] = match
	}
	return c.did("HandleAppendEntriesResponse")
}

// UpdateTerm follows a message of a higher term.
func (c *Check) UpdateTerm(i server, m protocol.Message) error {
	v := c.servers[i]
	if m.Term <= v.currentTerm {
		return disabled("UpdateTerm", "mterm is %d, currentTerm[%d] is %d", m.Term, i, v.currentTerm)
	}
	c.endReign(i)
	v.currentTerm, v.state, v.votedFor = m.Term, follower, 0
	return c.did("UpdateTerm")
}

// DropStaleResponse ignores an answer of an old term.
func (c *Check) DropStaleResponse(i server, m protocol.Message) error {
	if v := c.servers[i]; m.Term >= v.currentTerm {
		return disabled("DropStaleResponse", "mterm is %d, currentTerm[%d] is %d", m.Term, i, v.currentTerm)
	}
	return c.did("DropStaleResponse")
}

// DuplicateMessage lets a message arrive again. It needs to be under way.
func (c *Check) DuplicateMessage(m protocol.Message) error {
	if x := c.messages[m]; x == nil || !x.left {
		return disabled("DuplicateMessage", "%v from %d to %d is not in messages", m.Body.Kind(), m.From, m.To)
	}
	return c.did("DuplicateMessage")
}

// DropMessage loses a message, which is always allowed.
func (c *Check) DropMessage(protocol.Message) error { return c.did("DropMessage") }
