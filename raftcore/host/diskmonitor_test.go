package host

import (
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/replica"
)

// disk plays writes to a diskMonitor on a clock of its own.
type disk struct {
	diskMonitor
	now time.Time
	seq uint64
}

func newDisk() *disk {
	d := &disk{now: time.Unix(1_000_000, 0)}
	d.limits = diskLimits{
		hungAfter: 750 * time.Millisecond, slowWrite: 250 * time.Millisecond, window: 10 * time.Second,
		quiet: 30 * time.Second, maxAsides: 2, asidesOver: 10 * time.Minute,
	}
	d.slot = d.now
	return d
}

// pass lets time pass in ticks, and gives the last level.
func (d *disk) pass(t time.Duration) (l replica.FitnessLevel) {
	const tick = 20 * time.Millisecond
	for ; t > 0; t -= tick {
		d.now = d.now.Add(min(t, tick))
		l = d.judge(d.now)
	}
	return l
}

// writes makes writes that take so long, one after the other.
func (d *disk) writes(n int, took time.Duration) replica.FitnessLevel {
	for range n {
		d.seq++
		d.given(d.seq, d.now)
		d.pass(took)
		d.finished(d.seq, d.now)
	}
	return d.pass(20 * time.Millisecond)
}

func (d *disk) expect(t *testing.T, what string, got, want replica.FitnessLevel) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v; %+v", what, got, want, d.health(d.now))
	}
}

func TestDiskThatHangs(t *testing.T) {
	d := newDisk()
	d.expect(t, "quick writes", d.writes(100, time.Millisecond), replica.Fit)
	d.expect(t, "nothing to do", d.pass(time.Hour), replica.Fit)
	d.seq++
	d.given(d.seq, d.now)
	d.expect(t, "waiting", d.pass(740*time.Millisecond), replica.Fit)
	d.expect(t, "hung", d.pass(20*time.Millisecond), replica.Unable)
	if h := d.health(d.now); h.State != DiskHung || h.Waiting < 750*time.Millisecond {
		t.Errorf("%+v", h)
	}
	d.finished(d.seq, d.now)
	d.expect(t, "it moves", d.pass(20*time.Millisecond), replica.Unfit)
	d.expect(t, "not quiet for long enough", d.pass(29*time.Second), replica.Unfit)
	d.expect(t, "quiet", d.pass(time.Second), replica.Fit)
}

// A long queue that moves is no disk that hangs.
func TestDiskThatIsBusy(t *testing.T) {
	d := newDisk()
	for range 50 {
		d.seq++
		d.given(d.seq, d.now)
	}
	for i := uint64(1); i <= 50; i++ {
		d.finished(i, d.now)
		if l := d.pass(100 * time.Millisecond); l == replica.Unable {
			t.Fatalf("write %d: hung, though it moves", i)
		}
	}
	if len(d.waiting) > 0 || d.state != DiskSlow {
		t.Errorf("%d writes wait, %+v", len(d.waiting), d.health(d.now))
	}
}

func TestDiskThatIsSlow(t *testing.T) {
	d := newDisk()
	d.expect(t, "too few to judge", d.writes(9, 300*time.Millisecond), replica.Fit)
	d.expect(t, "slow", d.writes(1, 300*time.Millisecond), replica.Unfit)
	d.expect(t, "half are quick, but the others were slow lately", d.writes(60, 10*time.Millisecond), replica.Unfit)
	d.expect(t, "the slow ones are past, not for long enough", d.pass(25*time.Second), replica.Unfit)
	d.expect(t, "quiet", d.pass(15*time.Second), replica.Fit)
	d.expect(t, "one slow write in ten", d.writes(1, 300*time.Millisecond), replica.Fit)
	for range 20 {
		d.writes(9, 10*time.Millisecond)
		d.expect(t, "one slow write in ten", d.writes(1, 300*time.Millisecond), replica.Fit)
	}
}

// After so many times it steps aside no more, until the period is over: its leader stays.
func TestStepAsidesHaveABudget(t *testing.T) {
	d := newDisk()
	for range 5 {
		d.steppedAside(d.now) // not for slowness: that costs nothing
	}
	for i := range 2 {
		d.expect(t, "slow", d.writes(15, 300*time.Millisecond), replica.Unfit)
		d.steppedAside(d.now)
		if i == 0 {
			d.expect(t, "quiet", d.pass(time.Minute), replica.Fit)
		}
	}
	d.expect(t, "slow again, the budget is spent", d.writes(15, 300*time.Millisecond), replica.Fit)
	if h := d.health(d.now); h.State != DiskSlow || h.StepAsides != 2 {
		t.Errorf("%+v", h)
	}
	d.seq++
	d.given(d.seq, d.now)
	d.expect(t, "hung: there is no budget for that", d.pass(time.Second), replica.Unable)
	d.finished(d.seq, d.now)
	d.pass(10 * time.Minute)
	d.expect(t, "slow in the next period", d.writes(15, 300*time.Millisecond), replica.Unfit)
}

// However many writes wait, few are followed.
func TestWatchedWritesAreBounded(t *testing.T) {
	d := newDisk()
	for range 100_000 {
		d.seq++
		d.given(d.seq, d.now)
	}
	if len(d.waiting) > maxWatched {
		t.Errorf("%d writes are followed", len(d.waiting))
	}
	d.finished(d.seq, d.now)
	d.expect(t, "after a crowd", d.pass(time.Minute), replica.Fit)
}
