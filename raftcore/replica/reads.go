package replica

import (
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// read is a read that a leader was asked to confirm, by a member or (from 0) here.
type read struct {
	id   uint64
	from protocol.MemberID
}

// sentRead is a read that a follower has asked its leader about. On the wire it has a
// number of its own, since the caller may begin at the same ID after a restart: a late
// answer of the life before would give an index that is too low.
type sentRead struct {
	id    uint64
	wire  uint64
	ticks int
}

// reads are answered in rounds (thesis section 6.4): a round asks a quorum whether this
// leader still leads, and everything asked before it began is answered when it ends.
// One round is under way at a time; what comes meanwhile shares the next one.
type reads struct {
	round   uint64         // the latest one, carried by all requests
	needed  uint64         // the one that answers what was asked
	index   protocol.Index // the commit index when that one began
	asked   []read         // share the round that is under way
	waiting []read         // share the next one
	sent    []sentRead     // follower
	wire    uint64         // the next number on the wire; begins at random for each boot
}

// read takes a read of this member's clients.
func (r *Replica) read(id uint64) {
	switch {
	case r.role == Leader:
		r.reads.waiting = append(r.reads.waiting, read{id: id})
	case r.leader != 0:
		r.reads.wire++
		r.reads.sent = append(r.reads.sent, sentRead{id: id, wire: r.reads.wire})
		r.send(r.leader, &protocol.ReadRequest{ID: r.reads.wire})
	default:
		r.refuseReads(id)
	}
}

// takeReadRequest takes a read of a follower's clients.
func (r *Replica) takeReadRequest(m protocol.Message) {
	r.reads.waiting = append(r.reads.waiting, read{id: m.Body.(*protocol.ReadRequest).ID, from: m.From})
}

// refuseRead answers one that takes this member for the leader.
func (r *Replica) refuseRead(m protocol.Message) {
	r.send(m.From, &protocol.ReadResponse{ID: m.Body.(*protocol.ReadRequest).ID, Rejected: true})
}

// takeReadIndex takes the leader's answer. One to a read that was given up is ignored.
func (r *Replica) takeReadIndex(m protocol.Message) {
	a := m.Body.(*protocol.ReadResponse)
	for i, s := range r.reads.sent {
		if s.wire != a.ID {
			continue
		}
		r.reads.sent = append(r.reads.sent[:i], r.reads.sent[i+1:]...)
		if a.Rejected {
			r.refuseReads(s.id)
		} else {
			r.fx.Reads = append(r.fx.Reads, ReadIndex{ID: s.id, Index: a.Index})
		}
		return
	}
}

// advanceReads ends the round that a quorum has echoed and begins the next one. A new
// leader begins none before an entry of its term is committed: until then it does
// not know what is committed (thesis section 6.4, step 1). With a lease no round is needed.
func (r *Replica) advanceReads() {
	q := &r.reads
	for {
		if len(q.asked) > 0 {
			if !r.hasLease() && !r.voters.Reached(r.echoed) && !r.cfg.Mutation.Has(mutation.ReadWithoutQuorum) {
				return
			}
			r.answerReads()
		}
		if len(q.waiting) == 0 || r.commit < r.ownFirst && !r.cfg.Mutation.Has(mutation.ReadFromNewLeaderBeforeNoOp) {
			return
		}
		q.asked, q.waiting = q.waiting, q.asked
		q.index = r.commit
		if r.hasLease() {
			continue
		}
		q.round++
		q.needed = q.round
		r.askForRound()
	}
}

func (r *Replica) askForRound() {
	for i := range r.followers {
		if p := &r.followers[i]; r.voters.Has(p.ID) {
			r.heartbeat(p)
		}
	}
}

func (r *Replica) echoed(id protocol.MemberID) bool {
	return r.hasEchoed(id, r.reads.needed)
}

func (r *Replica) hasEchoed(id protocol.MemberID, round uint64) bool {
	p := r.follower(id)
	return id == r.cfg.ID || p != nil && p.Round >= round
}

func (r *Replica) answerReads() {
	q := &r.reads
	for _, a := range q.asked {
		if a.from == 0 {
			r.fx.Reads = append(r.fx.Reads, ReadIndex{ID: a.id, Index: q.index})
		} else {
			r.send(a.from, &protocol.ReadResponse{ID: a.id, Index: q.index})
		}
	}
	q.asked = q.asked[:0]
}

// refuseQueuedReads gives back a former leader's reads. Members that asked hear of the new
// leader, or time out.
func (r *Replica) refuseQueuedReads() {
	q := &r.reads
	for _, list := range [...][]read{q.asked, q.waiting} {
		for _, a := range list {
			if a.from == 0 {
				r.refuseReads(a.id)
			}
		}
	}
	q.round, q.needed, q.asked, q.waiting = 0, 0, q.asked[:0], q.waiting[:0]
}

// refuseSentReads gives back the reads that a former leader was asked about.
func (r *Replica) refuseSentReads() {
	for _, s := range r.reads.sent {
		r.refuseReads(s.id)
	}
	r.reads.sent = r.reads.sent[:0]
}

// expireSentReads gives back reads whose request or answer must be lost.
func (r *Replica) expireSentReads() {
	kept := r.reads.sent[:0]
	for _, s := range r.reads.sent {
		if s.ticks++; s.ticks < r.cfg.ElectionTicks {
			kept = append(kept, s)
		} else {
			r.refuseReads(s.id)
		}
	}
	r.reads.sent = kept
}

func (r *Replica) refuseReads(id uint64) { r.fx.ReadsRefused = append(r.fx.ReadsRefused, id) }
