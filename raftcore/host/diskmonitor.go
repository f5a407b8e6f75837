package host

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/raftcore/replica"
)

// DiskState says what a member's disk is worth for leading.
type DiskState uint8

// The states, ascending by what is wrong.
const (
	DiskWell DiskState = 0
	DiskSlow DiskState = 1 // most writes of the last while took too long, or it hung lately
	DiskHung DiskState = 2 // it was asked to write and has finished nothing for too long
)

// String gives the state's name.
func (s DiskState) String() string {
	switch s {
	case DiskWell:
		return "Well"
	case DiskSlow:
		return "Slow"
	case DiskHung:
		return "Hung"
	}
	return fmt.Sprintf("DiskState(%d)", uint8(s))
}

// DiskHealth is what a member knows of the disk that its log is on.
type DiskHealth struct {
	State      DiskState
	Since      time.Time     // when that began; zero: from the start
	Write      time.Duration // how long writes took lately, from put to durable: a moving average
	Waiting    time.Duration // how long the oldest write waits that is not durable; 0: none does
	StepAsides int           // how often this member has given up leading for slowness in the last Options.StepAsidePeriod
}

// diskLimits are those of Options.
type diskLimits struct {
	hungAfter  time.Duration
	slowWrite  time.Duration
	window     time.Duration
	quiet      time.Duration
	maxAsides  int
	asidesOver time.Duration
}

// slots divide the window in which slow writes are counted; fewWrites are too few to judge.
const (
	slots     = 10
	fewWrites = 10
)

// maxWatched bounds how many writes are followed; when more wait, the oldest say enough.
const maxWatched = 1024

// diskMonitor judges a disk by its writes. A turn for the worse counts at once, one for the
// better after a quiet time, so that a disk which is bad now and then is not trusted again and
// again. It has no clock: its caller, the loop, says what time it is.
type diskMonitor struct {
	limits  diskLimits
	waiting []watchedWrite // ascending
	moved   time.Time      // when the disk finished something last
	average time.Duration
	slots   [slots]struct{ writes, slow int } // the newest first
	slot    time.Time                         // when the newest began
	state   DiskState
	since   time.Time
	bad     time.Time   // when it was last seen hung or slow
	asides  []time.Time // when this member gave up leading for slowness
}

type watchedWrite struct {
	seq uint64
	at  time.Time
}

// given notes that a write was put.
func (m *diskMonitor) given(seq uint64, now time.Time) {
	if len(m.waiting) < maxWatched {
		m.waiting = append(m.waiting, watchedWrite{seq, now})
	}
}

// finished notes that the writes up to seq were durable by then.
func (m *diskMonitor) finished(seq uint64, at time.Time) {
	n := 0
	for n < len(m.waiting) && m.waiting[n].seq <= seq {
		took := max(0, at.Sub(m.waiting[n].at))
		m.average += (took - m.average) / 8
		m.slots[0].writes++
		if took > m.limits.slowWrite {
			m.slots[0].slow++
		}
		n++
	}
	if n > 0 {
		m.waiting = m.waiting[:copy(m.waiting, m.waiting[n:])]
		m.moved = at
	}
}

// judge gives the level at which this member may lead.
func (m *diskMonitor) judge(now time.Time) replica.FitnessLevel {
	m.roll(now)
	switch {
	case m.hangs(now):
		m.become(DiskHung, now)
		m.bad = now
	case m.isSlow():
		m.become(DiskSlow, now)
		m.bad = now
	case m.state == DiskHung:
		m.become(DiskSlow, now)
	case m.state == DiskSlow && now.Sub(m.bad) >= m.limits.quiet:
		m.become(DiskWell, now)
	}
	switch {
	case m.state == DiskHung:
		return replica.Unable
	case m.state == DiskSlow && m.recentAsides(now) < m.limits.maxAsides:
		return replica.Unfit
	}
	return replica.Fit
}

func (m *diskMonitor) become(s DiskState, now time.Time) {
	if s != m.state {
		m.state, m.since = s, now
	}
}

// hangs reports whether nothing was finished for too long though something waits.
func (m *diskMonitor) hangs(now time.Time) bool {
	if len(m.waiting) == 0 {
		return false
	}
	since := m.waiting[0].at
	if m.moved.After(since) {
		since = m.moved
	}
	return now.Sub(since) >= m.limits.hungAfter
}

// isSlow reports whether most writes of the window took too long.
func (m *diskMonitor) isSlow() bool {
	writes, slow := 0, 0
	for _, s := range m.slots {
		writes, slow = writes+s.writes, slow+s.slow
	}
	return writes >= fewWrites && 2*slow > writes
}

// roll begins new slots for the time that has passed.
func (m *diskMonitor) roll(now time.Time) {
	length := m.limits.window / slots
	for i := 0; now.Sub(m.slot) >= length; i++ {
		if i == slots {
			m.slot = now
			return
		}
		copy(m.slots[1:], m.slots[:slots-1])
		m.slots[0].writes, m.slots[0].slow = 0, 0
		m.slot = m.slot.Add(length)
	}
}

// steppedAside notes that this member does not lead any more. What it does for slowness is
// limited: a group whose disks take turns at being slow must not move its leader all the time.
func (m *diskMonitor) steppedAside(now time.Time) {
	if m.state == DiskSlow && m.recentAsides(now) < m.limits.maxAsides {
		m.asides = append(m.asides, now)
	}
}

// recentAsides forgets those that are long past.
func (m *diskMonitor) recentAsides(now time.Time) int {
	n := 0
	for n < len(m.asides) && now.Sub(m.asides[n]) >= m.limits.asidesOver {
		n++
	}
	m.asides = m.asides[:copy(m.asides, m.asides[n:])]
	return len(m.asides)
}

func (m *diskMonitor) health(now time.Time) DiskHealth {
	d := DiskHealth{State: m.state, Since: m.since, Write: m.average, StepAsides: m.recentAsides(now)}
	if len(m.waiting) > 0 {
		d.Waiting = now.Sub(m.waiting[0].at)
	}
	return d
}

// watchDisk tells the replica what the disk is worth. Ticks and heartbeats go on while a disk
// hangs, and would keep the others from electing one that can work.
func (h *Host) watchDisk(now time.Time) {
	upTo, at := h.gate.progress()
	h.disk.finished(upTo, at)
	before := h.disk.state
	level := h.disk.judge(now)
	d := h.disk.health(now)
	h.diskHealth.Store(&d)
	if d.State != before {
		h.opts.Logger.Info("the disk's health has changed", "from", before.String(), "to", d.State.String(), "writes take", d.Write.String(), "the oldest waits for", d.Waiting.String())
	}
	h.setFitness(forSpeed, level)
}

// DiskHealth tells what is known of the disk that the log is on.
func (h *Host) DiskHealth() DiskHealth { return *h.diskHealth.Load() }
