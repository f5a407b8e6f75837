package spec

import "github.com/quorate/quorate/raftcore/protocol"

// This file has the actions that the specification does not have; doc.go says why they are
// sound.

// Persist makes the writes up to seq durable.
func (c *Check) Persist(i server, seq uint64) error {
	v := c.servers[i]
	for len(v.writes) > 0 && v.writes[0].seq <= seq {
		v.durable.apply(v.writes[0])
		v.writes = v.writes[1:]
	}
	return c.did("Persist")
}

func (p *persistent) apply(w write) {
	if w.hard != nil {
		p.currentTerm, p.votedFor = w.hard.Term, w.hard.Vote
	}
	if w.at != 0 {
		p.log = p.log.insert(w.at, w.entries)
	}
}

// CountOwnDisk lets a server count itself as far as its log is durable.
func (c *Check) CountOwnDisk(i server, upTo index) error {
	v := c.servers[i]
	if upTo > v.log.len() || !v.durable.log.has(protocol.EntryID{Term: v.log.term(upTo), Index: upTo}) {
		return disabled("CountOwnDisk", "log[%d] is said to be durable up to %d of term %d, the disk has %v and term %d there",
			i, upTo, v.log.term(upTo), v.durable.log.last(), v.durable.log.term(upTo))
	}
	if v.state == leader {
		v.matchIndex[i] = upTo
	}
	return nil
}

// Leave lets a message go on its way, when what it promises is durable.
func (c *Check) Leave(m protocol.Message) error {
	x, d := c.messages[m], &c.servers[m.From].durable
	if x == nil && ofCaller(m) {
		x = &sent{}
		c.messages[m] = x
	}
	if x == nil {
		return disabled("Leave", "no action sends %v of term %d from %d to %d", m.Body.Kind(), m.Term, m.From, m.To)
	}
	x.left = true
	switch b := m.Body.(type) {
	case *protocol.PreVoteRequest:
		return nil
	case *protocol.PreVoteResponse:
		if b.Granted {
			return nil
		}
	case *protocol.VoteRequest:
		if d.currentTerm == m.Term && d.votedFor != m.From {
			return disabled("Leave", "%d stands in term %d, its disk has votedFor %d", m.From, m.Term, d.votedFor)
		}
	case *protocol.VoteResponse:
		if b.Granted && d.currentTerm == m.Term && d.votedFor != m.To {
			return disabled("Leave", "%d votes for %d in term %d, its disk has votedFor %d", m.From, m.To, m.Term, d.votedFor)
		}
	case *protocol.AppendResponse:
		if err := c.leaveAnswer(m, b); err != nil {
			return err
		}
	case *protocol.SnapshotResponse:
		return nil // its term is the request's: it tells nothing of the follower's own
	}
	if d.currentTerm < m.Term {
		return disabled("Leave", "%v of term %d, the disk of %d has currentTerm %d", m.Body.Kind(), m.Term, m.From, d.currentTerm)
	}
	return c.did("Leave")
}

// ofCaller reports whether the replica's caller sends the message on its own: it carries what
// OfferSnapshot has offered, in pieces, asks for repairs and gives them, and refuses commands that
// its disk has no space for.
func ofCaller(m protocol.Message) bool {
	switch b := m.Body.(type) {
	case *protocol.ForwardRefused:
		return b.Reason == protocol.DiskFull
	case *protocol.SnapshotRequest, *protocol.SnapshotResponse, *protocol.RepairRequest, *protocol.RepairResponse:
		return true
	}
	return false
}

// leaveAnswer wants what is acknowledged to be on disk, and to be what the term's leader has.
func (c *Check) leaveAnswer(m protocol.Message, a *protocol.AppendResponse) error {
	d := &c.servers[m.From].durable
	if a.Rejected || d.currentTerm != m.Term {
		return nil
	}
	theirs, ok := c.reignLog(m.Term)
	if !ok {
		return disabled("Leave", "%d acknowledges %d in term %d, which nobody leads", m.From, a.Match, m.Term)
	}
	if a.Match > d.log.len() || d.log.term(a.Match) != theirs.term(a.Match) {
		return disabled("Leave", "%d acknowledges %d, its disk has %v and term %d there, the leader of term %d has term %d",
			m.From, a.Match, d.log.last(), d.log.term(a.Match), m.Term, theirs.term(a.Match))
	}
	return nil
}

// StepDown ends a leadership or a candidacy within its term.
func (c *Check) StepDown(i server) error {
	v := c.servers[i]
	if v.state == follower {
		return disabled("StepDown", "state[%d] is %v", i, v.state)
	}
	c.endReign(i)
	v.state = follower
	return c.did("StepDown")
}

// ForgetFollower takes what a follower had acknowledged for not acknowledged.
func (c *Check) ForgetFollower(i, j server) error {
	v := c.servers[i]
	if v.state != leader {
		return disabled("ForgetFollower", "state[%d] is %v", i, v.state)
	}
	v.matchIndex[j] = 0
	return c.did("ForgetFollower")
}

// MoveNext moves a leader's guess of where a follower's log may meet its own.
func (c *Check) MoveNext(i, j server, next index) error {
	v := c.servers[i]
	if v.state != leader || next <= v.matchIndex[j] || next > v.log.len()+1 {
		return disabled("MoveNext", "nextIndex[%d][%d] to %d; state is %v, matchIndex %d, the log ends in %v", i, j, next, v.state, v.matchIndex[j], v.log.last())
	}
	v.nextIndex[j] = next
	return c.did("MoveNext")
}

// OfferSnapshot lets a leader send a snapshot.
func (c *Check) OfferSnapshot(i, j server) error {
	v := c.servers[i]
	if v.state != leader {
		return disabled("OfferSnapshot", "state[%d] is %v", i, v.state)
	}
	c.offers[offer{from: i, to: j, in: v.currentTerm}], c.offered[j] = true, true
	return c.did("OfferSnapshot")
}

// InstallSnapshot takes the leader's log up to a committed entry for the whole log. It is
// AppendEntries from the start: what follows is cut off, which only a conflict allows.
func (c *Check) InstallSnapshot(i server, last protocol.EntryID) error {
	v := c.servers[i]
	if !c.committed.has(last) {
		return disabled("InstallSnapshot", "%v is not committed, that is up to %v", last, c.committed.last())
	}
	at := c.meet(v.log, last.Index) + 1
	if at > last.Index && v.log.len() > last.Index {
		return disabled("InstallSnapshot", "log[%d] has %v already and would lose what follows, up to %v", i, last, v.log.last())
	}
	if at <= v.commitIndex && at <= v.log.len() {
		return disabled("InstallSnapshot", "log[%d] would lose entry %d, commitIndex is %d", i, at, v.commitIndex)
	}
	v.founding = c.founding // a snapshot tells it
	v.log = v.log.insert(at, c.committed[at-1:last.Index])
	v.commitIndex = max(v.commitIndex, last.Index)
	return c.did("InstallSnapshot")
}

// meet gives the last entry up to an index that a log has in common with what is committed.
func (c *Check) meet(log sequence, upTo index) index {
	at := min(log.len(), upTo)
	for at > 0 && log.term(at) != c.committed.term(at) {
		at--
	}
	return at
}
