package devtools_test

import (
	"strings"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// fault is met by a note of the simulator.
func fault(about string) pauser.Condition {
	return func(e pauser.Event) bool { return e.Kind == pauser.Fault && strings.Contains(e.Note, about) }
}

func replication(p *play) bool {
	if !p.begin() {
		return false
	}
	p.write(1)
	p.until(pauser.AppliedReaches(1, 2))
	p.told("its client was told that it is done, what it wrote is committed as entry 2")
	p.until(pauser.AppliedReaches(2, 2))
	p.until(pauser.AppliedReaches(3, 2))
	return true
}

// election: the picture begins with the start of the cluster.
func election(p *play) bool {
	p.watch()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 1 {
		return false
	}
	p.until(pauser.CommitReaches(1, 1))
	p.claim("nobody's term rises before the pre-vote is won", p.Status()[0].Term == 1)
	return p.count(pauser.Arrived, protocol.KindPreVoteRequest) == 2 && p.count(pauser.Arrived, protocol.KindVoteResponse) == 2 &&
		p.count(pauser.Arrived, protocol.KindPreVoteResponse) == 2
}

// splitVote: two members get two votes each in the same term, and the term ends without a
// leader.
func splitVote(p *play) bool {
	p.watch()
	candidates := map[protocol.MemberID]bool{}
	e := p.until(func(e pauser.Event) bool {
		if e.Kind == pauser.Changed && e.Status.Role == replica.Candidate && e.Status.Term == 1 {
			candidates[e.Member] = true
		}
		return e.Kind == pauser.Changed && e.Status.Role == replica.Leader
	})
	if len(candidates) != 2 || e.Status.Term != 2 {
		return false
	}
	return true
}

func transferOfLeadership(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(1, "is asked to hand over to member 2")
	p.Transfer(1, 2)
	e := p.until(pauser.Becomes(2, replica.Leader))
	p.claim("member 2 takes over in the next term", e.Status.Term == 2)
	p.until(pauser.CommitReaches(2, 2))
	return true
}

func resigned(p *play) bool {
	if !p.begin() {
		return false
	}
	at := p.Now()
	p.say(1, "its disk makes no progress, it resigns")
	p.Resign(1)
	e := p.until(pauser.Becomes(pauser.Any, replica.Leader))
	p.claim("nobody waits for an election timeout", p.Now()-at < 30*millisecond && e.Member != 1)
	p.until(pauser.CommitReaches(e.Member, 2))
	return e.Member == 2
}

func readAtAFollower(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(3, "a client reads")
	p.Read(3)
	op := &p.History()[0]
	p.until(func(pauser.Event) bool { return op.Done })
	p.say(3, "has applied that, answers its client")
	return p.count(pauser.Arrived, protocol.KindReadResponse) == 1
}

func forwarded(p *play) bool {
	if !p.begin() {
		return false
	}
	p.write(2)
	p.until(pauser.AppliedReaches(2, 2))
	p.told("its client was told that it is done, what it wrote is committed as entry 2")
	p.until(pauser.AppliedReaches(3, 2))
	return true
}

// forwardRefused: the leader is handing over to a member that does not hear it.
func forwardRefused(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(3, "does not hear member 1")
	p.Cut(1, 3)
	p.say(1, "is asked to hand over to member 3")
	p.Transfer(1, 3)
	p.write(2)
	p.until(pauser.Arrives(protocol.KindForwardRefused, 1, 2))
	op := &p.History()[0]
	p.until(func(pauser.Event) bool { return op.Refused })
	p.say(2, "its client was told to try again")
	return true
}
