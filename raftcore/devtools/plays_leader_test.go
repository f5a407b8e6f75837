package devtools_test

import (
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func notWritten(p *play) bool {
	if !p.begin() {
		return false
	}
	p.cut(1)
	p.write(1)
	if !p.crash(1, entry(1, 1)) {
		return false // a part of what was on its way has reached the disk
	}
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(pauser.CommitReaches(3, 2))
	p.Restart(1)
	p.until(p.acknowledged(1, 2, 2))
	p.claim("member 1 takes the NoOp where its own entry would have been", p.saw(2, 1, carries(entry(2, 2))))
	p.ends(1, 2)
	p.told("its client was told nothing, what it wrote was never committed")
	return true
}

func writtenByTheLeaderOnly(p *play) bool {
	if !p.begin() {
		return false
	}
	p.cut(1)
	for range 3 {
		p.write(1)
	}
	p.pass(5 * sim.Millisecond) // longer than a sync takes
	p.claim("entries 2 to 4 are on the disk of member 1", p.crash(1, entry(4, 1)))
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(pauser.CommitReaches(3, 2))
	p.say(2, "is asked to hand over")
	p.Transfer(2, 3)
	p.until(pauser.Becomes(3, replica.Leader))
	p.until(pauser.CommitReaches(2, 3))
	p.Restart(1)
	p.until(p.acknowledged(1, 3, 3))
	p.claim("member 1 refuses and hints at its entry 2 of term 1", p.saw(1, 3, refuses(entry(2, 1))))
	p.claim("member 3 sends what it has from entry 2 on", p.saw(3, 1, carries(entry(2, 2), entry(3, 3))))
	p.ends(1, 3)
	p.told("its client was told nothing, what it wrote was never committed")
	return true
}

func oneFollowerOfFive(p *play) bool {
	if !p.begin() {
		return false
	}
	p.Crash(5)
	for _, id := range []protocol.MemberID{3, 4} {
		p.Cut(1, id)
	}
	p.Cut(2, 1)
	p.write(1)
	p.until(func(e pauser.Event) bool { return e.Kind == pauser.Dropped && acknowledges(2)(e.Message.Body) })
	p.claim("member 1 has entry 2 on disk when it crashes", p.crash(1, entry(2, 1)))
	p.Heal()
	if p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member != 2 {
		return false
	}
	p.until(p.acknowledged(3, 2, 2))
	p.until(p.acknowledged(4, 2, 2))
	if p.saw(3, 2, acknowledges(3)) || p.saw(4, 2, acknowledges(3)) {
		return false
	}
	p.claim("three of five have entry 2, and it is not committed", p.Status()[1].Commit == 1)
	p.until(pauser.CommitReaches(2, 2))
	p.claim("entry 2 is committed together with entry 3", p.Status()[1].Commit == 3)
	p.until(pauser.AppliedReaches(3, 3))
	p.until(pauser.AppliedReaches(4, 3))
	p.told("its client was told nothing, what it wrote is committed as entry 2")
	return true
}

func absentFollower(p *play) bool {
	if !p.begin() {
		return false
	}
	p.say(3, "is cut off")
	p.cut(3)
	p.write(1)
	p.until(pauser.AppliedReaches(1, 2))
	p.claim("member 2 has acknowledged entry 2", p.saw(2, 1, acknowledges(2)))
	p.told("its client was told that it is done, what it wrote is committed as entry 2")
	p.Crash(1)
	p.Heal()
	p.say(3, "is back")
	p.claim("only member 2 can be elected", p.until(pauser.Becomes(pauser.Any, replica.Leader)).Member == 2)
	p.until(pauser.AppliedReaches(3, 3))
	p.claim("member 3 refuses the NoOp, for it lacks entry 2", p.saw(3, 2, refuses(entry(1, 1))))
	p.claim("member 3 gets the entry from the new leader", p.saw(2, 3, carries(entry(2, 1), entry(3, 2))))
	return true
}
