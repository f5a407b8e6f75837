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
	arming   arming
	over     bool      // for now: see Options.Phases
	steps    int       // inputs that were stepped in all phases of faults
	phase    int       // counts the beginnings; what was planned in an earlier phase does not happen
	outside  []*member // that are not mended when it is over

	partitions int
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
	{CrashPoint, (*faults).armPoint},
	{Bridge, (*faults).bridge},
	{HungDisk, (*faults).hang},
	{Changes, (*faults).change},
	{Wipe, (*faults).wipe},
	{Rot, (*faults).rot},
	{FullDisk, (*faults).fill},
	{NewVolume, (*faults).newVolume},
	{VoteRot, (*faults).rotVote},
	{WeakDisk, (*faults).weaken},
	{SyncError, (*faults).failSync},
}

func newFaults(c *Cluster) faults {
	f := faults{c: c, r: newRandom(c.options.Seed, streamFaults), machines: newRandom(c.options.Seed, streamMachines)}
	f.arming.r = newRandom(c.options.Seed, streamPoints)
	for _, s := range strikes {
		if c.options.Faults&s.kind != 0 {
			f.kinds = append(f.kinds, s.do)
		}
	}
	return f
}

// begin lets things go wrong, for the first time or again.
func (f *faults) begin() {
	f.over, f.outside, f.c.network.calm, f.c.made = false, nil, false, protocol.EntryID{}
	f.phase++
	f.c.network.heal()
	for _, m := range f.c.members {
		m.interval = m.drifted
		if m.drifted != tickInterval {
			f.c.struck(Drift)
		}
		if m.raft == nil {
			m.start()
		}
	}
	if len(f.kinds) > 0 {
		f.strikeLater()
	}
	f.c.clients.begin()
	f.c.clients.beginSessions()
}

func (f *faults) strikeLater() {
	this := f.phase
	f.c.clock.after(f.r.around(f.c.options.FaultEvery), func() {
		if !f.over && f.phase == this {
			pick(f.r, f.kinds)(f)
			f.strikeLater()
		}
	})
}

// end mends everything but the members outside, which stay down, half cut off, or linked
// with some of the others only: they must not be able to disturb the others.
func (f *faults) end(outside []*member) {
	f.over, f.outside, f.c.made = true, outside, protocol.EntryID{}
	f.c.network.calm = true
	f.c.network.heal()
	for _, m := range f.c.members {
		m.interval, m.asleep, m.hangs, m.weak, m.full, m.failsSync = tickInterval, min(m.asleep, f.c.clock.now), 0, 0, 0, false
		if !slices.Contains(outside, m) {
			if m.raft == nil {
				m.start()
			}
			continue
		}
		f.leaveOut(m, outside)
	}
}

// leaveOut makes one of the members outside what the options want.
func (f *faults) leaveOut(m *member, outside []*member) {
	switch {
	case f.c.options.HalfCut:
		f.isolate(m, pick(f.r, []int{onlyReceives, onlySends}))
	case f.c.options.HalfLinked:
		f.linkInPart(m, f.c.others(outside))
	default:
		m.crash()
		return
	}
	if m.raft == nil {
		m.start()
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
		f.c.struck(Crash)
		m.crash()
		f.restartLater(m)
	}
}

// elected strikes a new leader, which is when most is undecided.
func (f *faults) elected(m *member) {
	if !f.over && f.c.options.Faults&Regicide != 0 && f.r.percent(60) {
		m.after(f.r.between(0, pick(f.r, []Time{2, 12, 40})*Millisecond), func() {
			if !f.over {
				f.c.struck(Regicide)
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
	f.c.struck(PowerLoss)
	for _, m := range f.c.up() {
		m.crash()
		f.restartLater(m)
	}
}

func (f *faults) restartLater(m *member) {
	this := f.phase
	f.c.clock.after(f.r.between(min(Millisecond, f.c.options.DownFor), f.c.options.DownFor), func() {
		if m.raft == nil && !f.over && f.phase == this {
			f.c.coverage.Restarts++
			m.start()
		}
	})
}

// loseLog crashes a member and takes the end of its log away. Raft cannot bear the
// loss of what was acknowledged, so this strikes only where a quorum without the
// victim has all that it had; and the vote is not lost.
func (f *faults) loseLog() {
	m := f.victim()
	if m == nil || !f.c.spare(m) || f.c.recordsVolumes() {
		return
	}
	m.crash()
	if keep, had := m.disk.loseLog(f.r); keep < had {
		m.incarnation++
		f.c.struck(LostLog)
		f.c.note(m, "loses its log beyond %d and is a new incarnation", keep)
	}
	f.restartLater(m)
}

// spare reports whether a quorum without the member has all that it has, and nobody has a
// part in decisions of which this need not be true soon.
func (c *Cluster) spare(m *member) bool {
	last := m.disk.log.Last()
	return c.check.settled() && reached(c.check.config, func(id protocol.MemberID) bool {
		other := c.member(id)
		return other != m && c.isSound(id) && c.check.holds(&other.disk.log, last)
	})
}

func (f *faults) compact() {
	if m := f.victim(); m != nil {
		f.c.struck(Compaction)
		m.takeSnapshot()
	}
}

func (f *faults) transfer() {
	if l := f.c.leader(); l != nil {
		var to protocol.MemberID
		if f.r.percent(50) {
			to = pick(f.r, f.c.members).id
		}
		f.c.struck(Transfer)
		l.step(replica.Transfer{To: to})
	}
}

func (f *faults) resign() {
	if m := f.victim(); m != nil {
		f.c.struck(Resign)
		m.step(replica.Resign{})
	}
}

// sleep stops a member for a while, as when its machine is busy or frozen.
func (f *faults) sleep() {
	if m := f.victim(); m != nil {
		d := f.r.between(tickInterval, 40*tickInterval)
		m.asleep = f.c.clock.now + d
		f.c.struck(Sleep)
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
