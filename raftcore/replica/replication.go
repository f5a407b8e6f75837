package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
)

// becomeLeader begins a term of leadership with a NoOp: only with an entry of its own
// term can a leader commit what its predecessors left (paper sections 5.4.2 and 8).
func (r *Replica) becomeLeader() {
	r.becomeFollower(r.term, 0)
	r.role, r.leader = Leader, r.cfg.ID
	r.timers.heartbeat, r.timers.alone, r.aside = 0, 0, 0
	r.forgetLeaderContact() // as a leader of the past, it will owe nothing to the one before
	r.ownFirst, r.settled = r.log.last+1, r.log.last
	r.followers = r.followers[:0]
	for _, id := range r.peers {
		r.followers = append(r.followers, r.newFollower(id, r.ownFirst))
	}
	r.inheritCommands()
	r.appendOwn(protocol.EntryNoOp, [][]byte{nil})
}

// newFollower gives a leader's view of a member that it has not heard yet.
func (r *Replica) newFollower(id protocol.MemberID, next protocol.Index) progress.Progress {
	p := progress.New(id, next, progress.Window{Requests: r.cfg.MaxInflight, Bytes: r.cfg.MaxInflightBytes})
	p.Unfit = true // until it says otherwise: nothing is handed over on a mere hope
	return p
}

// stopLeading ends what only a leader has.
func (r *Replica) stopLeading() {
	r.followers = r.followers[:0]
	r.unsettled = 0
	r.lag.reset()
	r.lease = lease{}
	r.transfer = transfer{}
	r.refuseQueuedReads()
}

// lead does what any input may have made possible.
func (r *Replica) lead() {
	r.advanceCommit()
	r.advanceChange()
	r.adopt()
	r.settle()
	r.renewLease()
	r.advanceReads()
	for i := range r.followers {
		r.replicate(&r.followers[i])
	}
	r.tellWaiting()
	r.continueTransfer()
}

func (r *Replica) tickLeader(beat bool) {
	r.lease.ticks++
	for i := range r.followers {
		r.followers[i].Silent++
	}
	if !r.voters.Reached(r.heardLately) && !r.cfg.Mutation.Has(mutation.LeadWithoutQuorum) {
		r.resign() // it cannot commit, and others may have elected another (thesis section 6.2)
		return
	}
	if !r.tickAside() {
		return
	}
	r.tickTransfer(beat)
	if r.role != Leader {
		return
	}
	r.tickDeparting()
	if beat {
		r.beginLeaseRound()
	}
	for i := range r.followers {
		p := &r.followers[i]
		if beat || r.owesCommit(p, r.commit) {
			r.heartbeat(p)
		}
	}
}

func (r *Replica) heardLately(id protocol.MemberID) bool {
	p := r.follower(id)
	return id == r.cfg.ID || p != nil && p.Silent < r.cfg.ElectionTicks
}

// propose takes payloads of this member's clients.
func (r *Replica) propose(kind protocol.EntryKind, payloads [][]byte) {
	switch {
	case len(payloads) == 0:
	case kind != protocol.EntryCommand && kind != protocol.EntrySession:
		r.violate("an entry of kind %v was proposed: only commands and sessions are", kind)
	case r.role == Leader:
		if n, why := r.takeOwn(kind, payloads); n < len(payloads) {
			r.refuse(why, kind, payloads[n:])
		}
	case r.leader != 0 && forwarded(kind):
		r.forward(kind, payloads)
	default:
		r.refuse(NoLeader, kind, payloads)
	}
}

// takeOwn appends what clients propose to this leader, directly or through a follower.
// It gives how many were taken, and why not the others.
func (r *Replica) takeOwn(kind protocol.EntryKind, payloads [][]byte) (int, RefusalReason) {
	if r.transfer.to != 0 {
		return 0, Transferring
	}
	room := r.serialRoom(kind, len(payloads))
	n := r.appendOwn(kind, payloads[:room])
	if n > 0 && kind == protocol.EntryCommand {
		r.lastCommand = r.log.last
	}
	if n < room {
		return n, Overloaded
	}
	return n, InFlight
}

func (r *Replica) refuse(why RefusalReason, kind protocol.EntryKind, payloads [][]byte) {
	r.fx.Refused = append(r.fx.Refused, Refusal{Reason: why, Kind: kind, Payloads: payloads})
}

// appendOwn appends entries of the leader's term until too much is not settled or applied,
// and gives the number of those it took.
func (r *Replica) appendOwn(kind protocol.EntryKind, payloads [][]byte) int {
	first := r.log.last + 1
	r.log.reserve(len(payloads))
	for n, b := range payloads {
		size := protocol.Entry{Payload: b}.Size()
		if kind == protocol.EntryConfiguration {
			r.appendConfiguration(protocol.Entry{Index: r.log.last + 1, Term: r.term, Payload: b})
		} else if open := r.unsettled + r.lag.bytes; open > 0 && open+size > r.cfg.MaxUncommittedBytes {
			payloads = payloads[:n]
			break
		}
		r.log.push(r.term, kind, b)
		r.unsettled += size
	}
	if len(payloads) > 0 {
		r.writes.inserted(first)
	}
	return len(payloads)
}

// replicate sends a follower what it lacks, as far as its window is open. One whose next
// entry was compacted away gets nothing more but a snapshot, and no heartbeat could
// open its window: it must not wait for that.
func (r *Replica) replicate(p *progress.Progress) {
	if p.Next <= r.log.base.Index {
		if p.CanSend() || p.State() == progress.Replicate {
			r.offerSnapshot(p)
		}
		return
	}
	for p.CanSend() && p.Next <= r.log.last {
		if p.Next < r.log.first {
			if p.Next > 20 && r.cfg.Mutation.Has(mutation.CatchUpCapped) {
				return
			}
			r.fetchFor(p)
			return
		}
		r.sendEntries(p, r.log.batch(p.Next, p.Room(r.cfg.MaxMessageBytes)))
	}
}

// sendEntries sends entries, the first of which is the follower's next one.
func (r *Replica) sendEntries(p *progress.Progress, entries []protocol.Entry) {
	r.sendAppend(p, r.log.id(p.Next-1), entries)
	p.Sent(entries[len(entries)-1].Index, protocol.Size(entries))
}

// heartbeat sends an empty request. Its previous entry is the last one that was sent,
// so that the answer tells of lost requests by refusing it and of lost answers by
// accepting it: the window never stays full. A follower that waits for a snapshot is only
// told that the leader lives.
func (r *Replica) heartbeat(p *progress.Progress) {
	prev := protocol.EntryID{}
	if p.State() != progress.Snapshot && p.Next > r.log.base.Index {
		prev = r.log.id(p.Next - 1)
	}
	r.sendAppend(p, prev, nil)
}

func (r *Replica) sendAppend(p *progress.Progress, prev protocol.EntryID, entries []protocol.Entry) {
	// The follower commits nothing beyond the entries of this request.
	p.SentCommit = max(p.SentCommit, min(r.commit, prev.Index+protocol.Index(len(entries))))
	r.send(p.ID, &protocol.AppendRequest{Prev: prev, Commit: r.commit, Round: r.reads.round, Entries: entries})
}

// takeAnswer takes a follower's answer to an AppendRequest or a snapshot.
func (r *Replica) takeAnswer(m protocol.Message) {
	p, a := r.follower(m.From), m.Body.(*protocol.AppendResponse)
	if p == nil || a.Round > r.reads.round {
		return // not about anything that this leader has asked
	}
	if !a.Rejected && a.Match > r.log.last {
		r.violate("member %d acknowledges entry %d, but this leader's log ends at %d", m.From, a.Match, r.log.last)
		return
	}
	switch p.Answered(a.Incarnation, a.Boot, a.Round) {
	case progress.PastLife:
		return
	case progress.NewLife:
		// What it had acknowledged may be gone with its memory or its disk.
		r.reads.round++
		p.Reset(min(a.Match, r.log.last)+1, r.reads.round, r.cfg.Mutation.Has(mutation.CursorOnlyUp))
		r.heartbeat(p)
		return
	}
	p.Silent, p.Unfit = 0, a.Unfit
	p.Round = max(p.Round, a.Round)
	if a.Rejected {
		if a.Match <= r.log.last {
			p.Rejected(a.Match, r.nextAfter(a.Hint))
		}
		return
	}
	if p.State() == progress.Snapshot && a.Match >= r.log.base.Index {
		p.SnapshotDone(a.Match + 1)
	}
	p.Acknowledged(a.Match)
}

// nextAfter gives the entry after the last one that both logs may have in common. What
// the follower ends in may be compacted away here: then it needs a snapshot.
func (r *Replica) nextAfter(hint protocol.EntryID) protocol.Index {
	if hint.Index < r.log.base.Index {
		return hint.Index + 1
	}
	return r.log.meet(hint).Index + 1
}

// hearFollower notes that a follower lives while it receives a snapshot.
func (r *Replica) hearFollower(m protocol.Message) {
	if p := r.follower(m.From); p != nil {
		p.Silent = 0
	}
}

// advanceCommit commits what a majority has on disk, the leader's own disk counted like
// any other. Only entries of the own term are committed by counting; older ones become
// so with them (paper section 5.4.2 and figure 8).
func (r *Replica) advanceCommit() {
	i := r.voters.Committed(r.matchOf)
	if i <= r.commit {
		return
	}
	t, _ := r.log.term(i)
	if t != r.term && !r.cfg.Mutation.Has(mutation.CommitOldTerm) {
		return
	}
	r.commit = i
}

// settle stops counting own entries that are committed and durable here. Committed alone is
// not enough: while this disk hangs, memory must keep them.
func (r *Replica) settle() {
	from, upTo := max(r.settled+1, r.log.first), min(r.commit, r.writes.stable)
	if upTo <= r.settled {
		return
	}
	if from <= upTo {
		bytes := protocol.Size(r.log.slice(from, upTo))
		r.unsettled -= bytes
		r.lag.add(upTo, bytes)
	}
	r.settled = upTo
}

func (r *Replica) matchOf(id protocol.MemberID) protocol.Index {
	if id == r.cfg.ID && r.cfg.Mutation.Has(mutation.LeaderCountsUnsynced) {
		return r.log.last
	}
	if id == r.cfg.ID {
		return r.writes.stable
	}
	if p := r.follower(id); p != nil {
		return p.Match
	}
	return 0
}

// tellWaiting sends the commit index at once to followers whose clients wait for it,
// unless entries carry it. The others learn it with the next entries or tick.
func (r *Replica) tellWaiting() {
	for i := range r.followers {
		if p := &r.followers[i]; r.owesCommit(p, p.Awaits) {
			r.heartbeat(p)
		}
	}
}

// owesCommit reports whether a follower could commit more, up to an index, if it were told.
func (r *Replica) owesCommit(p *progress.Progress, upTo protocol.Index) bool {
	return p.State() == progress.Replicate && p.SentCommit < min(r.commit, upTo, p.Next-1)
}

func (r *Replica) follower(id protocol.MemberID) *progress.Progress {
	for i := range r.followers {
		if r.followers[i].ID == id {
			return &r.followers[i]
		}
	}
	return nil
}
