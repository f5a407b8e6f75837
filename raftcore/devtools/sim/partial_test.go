package sim

import (
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// partial is a calm cluster with a leader, whose links a test cuts.
type partial struct {
	*Cluster
	t      *testing.T
	seed   uint64
	leader protocol.MemberID
}

// patience is how long a group may take: a few of the longest election timeouts.
const patience = 10 * 20 * tickInterval

func newPartial(t *testing.T, seed uint64, members int) *partial {
	t.Helper()
	c, err := New(Calm(seed, members))
	if err != nil {
		t.Fatal(err)
	}
	p := &partial{Cluster: c, t: t, seed: seed}
	p.leader = p.until("a leader", pauser.ElectionDone()).Status.Leader
	for _, m := range p.Status() {
		p.until("its term", pauser.CommitReaches(m.Member, 1))
	}
	return p
}

func (p *partial) until(what string, c pauser.Condition) pauser.Event {
	p.t.Helper()
	e, err := p.Run(c, patience)
	if err != nil {
		p.t.Fatalf("seed %d: waiting for %s: %v", p.seed, what, err)
	}
	return e
}

// but gives the members without those.
func (p *partial) but(not ...protocol.MemberID) (ids []protocol.MemberID) {
	for _, s := range p.Status() {
		out := false
		for _, id := range not {
			out = out || id == s.Member
		}
		if !out {
			ids = append(ids, s.Member)
		}
	}
	return ids
}

func (p *partial) part(a, b protocol.MemberID) {
	p.Cut(a, b)
	p.Cut(b, a)
}

// star leaves nothing but the links of the member in the middle.
func (p *partial) star(middle protocol.MemberID) {
	for _, a := range p.but(middle) {
		for _, b := range p.but(middle, a) {
			p.part(a, b)
		}
	}
}

// TestQuorumLoss cuts all links but those of one follower: the leader still reaches that
// one, and only that one reaches a quorum. As long as the leader does not give up, that one follows.
func TestQuorumLoss(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		p := newPartial(t, seed, 5)
		middle := p.but(p.leader)[seed%4]
		p.star(middle)
		p.until("the one in the middle to lead", pauser.Becomes(middle, replica.Leader))
		last := p.Status()[middle-1].Commit
		p.Propose(middle)
		p.until("a command to be applied", pauser.AppliedReaches(middle, last+1))
	}
}

// TestChain cuts the link between the leader and one of its two followers: the leader has its
// quorum still, and the one that does not hear it must not depose it through the other.
func TestChain(t *testing.T) {
	for seed := uint64(1); seed <= 30; seed++ {
		p := newPartial(t, seed, 3)
		end := p.but(p.leader)[seed%2]
		term := p.Status()[p.leader-1].Term
		p.part(p.leader, end)
		if e, err := p.Run(func(e pauser.Event) bool { return e.Status.Term > term }, patience); err == nil {
			t.Errorf("seed %d: in a chain, %+v", seed, e)
		}
		p.Propose(p.leader)
		p.until("a command to be applied", pauser.AppliedReaches(p.leader, p.Status()[p.leader-1].Commit+1))
	}
}

// TestConstrainedElection is the case that Raft does not solve: only one member reaches a
// quorum, and it lacks what is committed. It must not lead, and nobody else can; with one more link
// there is a leader again.
func TestConstrainedElection(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		p := newPartial(t, seed, 5)
		middle := p.but(p.leader)[seed%4]
		for _, id := range p.but(middle) {
			p.part(middle, id)
		}
		last := p.Status()[p.leader-1].Commit
		p.Propose(p.leader)
		rest := p.but(p.leader, middle)
		for _, id := range rest {
			p.until("a command on the others' disks", pauser.AppliedReaches(id, last+1))
		}
		p.Heal()
		p.star(middle)
		p.part(p.leader, middle)
		leads := func(e pauser.Event) bool { return e.Status.Role == replica.Leader && e.Member != p.leader }
		if e, err := p.Run(leads, patience); err == nil {
			t.Errorf("seed %d: %+v leads, though it cannot have a quorum's log", seed, e)
		}
		p.Heal()
		for _, id := range p.but(p.leader) {
			p.part(p.leader, id)
		}
		p.part(rest[0], rest[1])
		p.part(rest[0], rest[2])
		p.until("somebody with the whole log to lead", leads)
	}
}
