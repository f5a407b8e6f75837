package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// faults lets one thing go wrong after another, each of which is mended after a while.
type faults struct {
	c        *Cluster
	r        random
	machines random
	kinds    []func(*faults)
	over     bool
	outside  []*member // that are not mended when it is over
}

// strikes are the faults that come as events; the others are a matter of the network,
// the disks and the clocks.
var strikes = []struct {
	kind Faults
	do   func(*faults)
}{
	{Crash, (*faults).crash},
	{PowerLoss, (*faults).powerLoss},
	{Partition, (*faults).partition},
	{Break, (*faults).breakLink},
	{LostLog, (*faults).loseLog},
	{Compaction, (*faults).compact},
	{Transfer, (*faults).transfer},
	{Resign, (*faults).resign},
	{Sleep, (*faults).sleep},
}

func newFaults(c *Cluster) faults {
	f := faults{c: c, r: newRandom(c.options.Seed, streamFaults), machines: newRandom(c.options.Seed, streamMachines)}
	for _, s := range strikes {
		if c.options.Faults&s.kind != 0 {
			f.kinds = append(f.kinds, s.do)
		}
	}
	if len(f.kinds) > 0 {
		c.clock.after(f.r.around(c.options.FaultEvery), c.strike)
	}
	return f
}

func (c *Cluster) strike() {
	f := &c.faults
	if f.over {
		return
	}
	pick(f.r, f.kinds)(f)
	c.clock.after(f.r.around(c.options.FaultEvery), c.strike)
}

// end mends everything for good but the members outside, which stay down or half cut off:
// they must not be able to disturb the others.
func (f *faults) end(outside []*member) {
	f.over, f.outside = true, outside
	f.c.network.calm = true
	f.c.network.heal()
	for _, m := range f.c.members {
		m.interval, m.asleep = tickInterval, 0
		switch out := slices.Contains(outside, m); {
		case out && f.c.options.HalfCut:
			f.isolate(m, pick(f.r, []int{onlyReceives, onlySends}))
			fallthrough
		case !out:
			if m.raft == nil {
				m.start()
			}
		default:
			m.crash()
		}
	}
}

// victim chooses a member that runs, or nil.
func (f *faults) victim() *member {
	if l := f.c.leader(); l != nil && f.r.percent(f.c.options.AimAtLeader) {
		return l
	}
	if up := f.c.up(); len(up) > 0 {
		return pick(f.r, up)
	}
	return nil
}

func (f *faults) crash() {
	if m := f.victim(); m != nil {
		m.crash()
		f.restartLater(m)
	}
}

// elected strikes a new leader, which is when most is undecided.
func (f *faults) elected(m *member) {
	if !f.over && f.c.options.Faults&Regicide != 0 && f.r.percent(60) {
		m.after(f.r.between(0, pick(f.r, []Time{2, 12, 40})*Millisecond), func() {
			if !f.over {
				m.crash()
				f.restartLater(m)
			}
		})
	}
}

func (f *faults) powerLoss() {
	if !f.r.percent(25) {
		f.crash()
		return
	}
	f.c.coverage.PowerLosses++
	for _, m := range f.c.up() {
		m.crash()
		f.restartLater(m)
	}
}

func (f *faults) restartLater(m *member) {
	f.c.clock.after(f.r.between(min(Millisecond, f.c.options.DownFor), f.c.options.DownFor), func() {
		if m.raft == nil && !f.over {
			f.c.coverage.Restarts++
			m.start()
		}
	})
}

// partition cuts links for a while. In a partial one both sides may still have common
// neighbours; in an asymmetric one messages pass in one direction only.
func (f *faults) partition() {
	c := f.c
	m := f.victim()
	if m == nil || len(c.members) < 2 {
		return
	}
	c.network.heal()
	switch f.r.IntN(4) {
	case 0:
		f.split()
	case 1:
		f.isolate(m, pick(f.r, []int{cutOff, onlyReceives, onlySends}))
	case 2:
		other := pick(f.r, c.members)
		c.network.cut(m, other)
		c.network.cut(other, m)
		c.note(m, "has no link with member %d", other.id)
	case 3:
		other := pick(f.r, c.members)
		c.network.cut(m, other)
		c.note(m, "does not reach member %d", other.id)
	}
	if f.r.percent(30) {
		c.network.breakCut()
	}
	c.coverage.Partitions++
	this := c.coverage.Partitions
	c.clock.after(f.r.between(tickInterval, 40*tickInterval), func() {
		if this == c.coverage.Partitions && !f.over {
			c.network.heal()
			c.note(nil, "the network is whole")
		}
	})
}

func (f *faults) split() {
	var side, other []*member
	for _, m := range f.c.members {
		if f.r.percent(50) {
			side = append(side, m)
		} else {
			other = append(other, m)
		}
	}
	f.c.note(nil, "the network falls apart, on one side are %v", ids(side))
	for _, a := range side {
		for _, b := range other {
			f.c.network.cut(a, b)
			f.c.network.cut(b, a)
		}
	}
}

// The ways to be isolated.
const (
	cutOff = iota
	onlyReceives
	onlySends
)

// isolate cuts a member off from all others, in one direction or both.
func (f *faults) isolate(m *member, how int) {
	f.c.note(m, "is alone: %s", [...]string{cutOff: "cut off", onlyReceives: "it only receives", onlySends: "it only sends"}[how])
	for _, other := range f.c.members {
		if other == m {
			continue
		}
		if how != onlySends {
			f.c.network.cut(m, other)
		}
		if how != onlyReceives {
			f.c.network.cut(other, m)
		}
	}
}

func (f *faults) breakLink() {
	a, b := f.victim(), pick(f.r, f.c.members)
	if a == nil || a == b {
		return
	}
	f.c.note(a, "its connection with member %d breaks", b.id)
	f.c.network.breakLink(a, b)
}

// loseLog crashes a member and takes the end of its log away. Raft cannot bear the
// loss of what was acknowledged, so this strikes only where a quorum without the
// victim has all that it had; and the vote is not lost.
func (f *faults) loseLog() {
	m := f.victim()
	if m == nil || !f.c.spare(m) {
		return
	}
	m.crash()
	if keep, had := m.disk.loseLog(f.r); keep < had {
		m.incarnation++
		f.c.coverage.LostLogs++
		f.c.note(m, "loses its log beyond %d and is a new incarnation", keep)
	}
	f.restartLater(m)
}

// spare reports whether a quorum without the member has all that it has.
func (c *Cluster) spare(m *member) bool {
	last, n := m.disk.log.Last(), 0
	for _, other := range c.voters() {
		if other != m && c.check.holds(&other.disk.log, last) {
			n++
		}
	}
	return n >= c.quorum()
}

func (f *faults) compact() {
	if m := f.victim(); m != nil {
		m.takeSnapshot()
	}
}

func (f *faults) transfer() {
	if l := f.c.leader(); l != nil {
		var to protocol.MemberID
		if f.r.percent(50) {
			to = pick(f.r, f.c.members).id
		}
		l.step(replica.Transfer{To: to})
	}
}

func (f *faults) resign() {
	if m := f.victim(); m != nil {
		m.step(replica.Resign{})
	}
}

// sleep stops a member for a while, as when its machine is busy or frozen.
func (f *faults) sleep() {
	if m := f.victim(); m != nil {
		d := f.r.between(tickInterval, 40*tickInterval)
		m.asleep = f.c.clock.now + d
		f.c.coverage.Sleeps++
		f.c.note(m, "sleeps for %v", d)
	}
}

// applyTime draws how long the state machine takes.
func (f *faults) applyTime() Time {
	if !f.over && f.machines.percent(5) {
		return f.machines.between(5*Millisecond, 50*Millisecond)
	}
	return f.machines.between(10*Microsecond, 500*Microsecond)
}

func ids(members []*member) []protocol.MemberID {
	var out []protocol.MemberID
	for _, m := range members {
		out = append(out, m.id)
	}
	return out
}
