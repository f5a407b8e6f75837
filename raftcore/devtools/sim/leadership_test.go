package sim

import (
	"errors"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// leases has leaders answer reads without asking, while they are cut off, sleep, hand over and
// fall, while answers come late, and while the clocks run at different speeds.
func leases(o *Options) {
	drawn := o.Faults
	staleLeaders(o)
	o.Members = max(3, o.Members)
	o.Faults |= Drift | drawn&(Transfer|Crash|Regicide|Delay)
	o.FaultEvery = 40 * Millisecond
	o.ClientEvery = 2 * Millisecond
	o.LeaseTicks, o.Serial = longestLease(o.ElectionTicks), false
}

// handingOver has leaders hand over without hearing of it.
func handingOver(o *Options) {
	leases(o)
	o.Members, o.Learners = 3, 0
	o.Faults, o.LossPercent = Transfer|Loss, 30
	o.FaultEvery = 15 * Millisecond
	o.ElectionTicks, o.HeartbeatTicks = 8, 1
	o.LeaseTicks = longestLease(o.ElectionTicks)
}

// TestLeasesAreLinearizable holds the reads that leases answer against the promise, with
// clocks that are wrong by as much as the leases allow for.
func TestLeasesAreLinearizable(t *testing.T) {
	n := uint64(300)
	if testing.Short() {
		n = 50
	}
	for seed := uint64(1); seed <= n; seed++ {
		o := OptionsFor(seed)
		leases(&o)
		r, err := Run(o)
		if err != nil {
			t.Fatal(err)
		}
		if seed%10 == 0 {
			if got := judge(operations(r.History)); got != porcupine.Ok {
				t.Errorf("seed %d: the history is %v", seed, got)
			}
		}
	}
}

// TestLeasesBeyondTheirBound shows that the assumption about clocks is one, and that its
// breach is noticed: leases that do not allow for any drift, with clocks that drift.
func TestLeasesBeyondTheirBound(t *testing.T) {
	for seed := uint64(1); seed <= 1000; seed++ {
		o := OptionsFor(seed)
		leases(&o)
		o.Members, o.Learners, o.Steps = 3, 0, 3000
		o.Faults = Partition | Break | Drift
		o.ElectionTicks, o.HeartbeatTicks = 8, 1 // so that drift is more than a tick
		o.LeaseTicks = o.ElectionTicks - 1
		f := failureOf(o)
		if f == nil {
			continue
		}
		if f.Property != ClientsView {
			t.Fatal(f)
		}
		t.Logf("seed %d, step %d: %s: %s", seed, f.Step, f.Property, f.Detail)
		o.LeaseTicks = longestLease(o.ElectionTicks)
		if f := failureOf(o); f != nil {
			t.Errorf("leases that allow for these clocks fail, too: %v", f)
		}
		return
	}
	t.Error("1000 seeds with clocks far beyond what leases allow for gave no stale read")
}

// TestALeaseCountsFromItsRound lets leaders sleep while the answers to a round are under way.
// When one wakes, they are almost as old as the promise behind them, and nobody hears it any
// more: another is elected while a lease that counted from the answers would still last.
func TestALeaseCountsFromItsRound(t *testing.T) {
	stale := 0
	for seed := uint64(1); seed <= 20; seed++ {
		if err := lateAnswers(t, seed, 0); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		var f *Failure
		if err := lateAnswers(t, seed, mutation.LeaseFromAnswer); errors.As(err, &f) && f.Property == ClientsView {
			stale++
		} else if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if t.Logf("%d of 20 runs read what was stale", stale); stale == 0 {
		t.Error("leases that count from the answers gave no stale read")
	}
}

// lateAnswers lets clients write to everybody and read from a leader that sleeps for most of an
// election timeout, and is cut off.
func lateAnswers(t *testing.T, seed uint64, bug mutation.Set) error {
	t.Helper()
	o := Calm(seed, 3)
	o.HeartbeatTicks, o.mutation = 1, bug
	o.LeaseTicks = o.ElectionTicks - 1 // the clocks are right
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Run(pauser.ElectionDone(), patience)
	if err != nil {
		return err
	}
	leader := c.member(e.Status.Leader)
	if _, err := c.Run(pauser.Times(20, pauser.Arrives(protocol.KindAppendRequest, leader.id, 0)), patience); err != nil {
		return err
	}
	leader.asleep = c.Now() + Time(o.ElectionTicks-2)*tickInterval // it does not find out that it lost its quorum
	c.pass(tickInterval)
	for _, m := range c.members {
		if m != leader {
			c.network.cutBoth(m, leader)
		}
	}
	for range 20 * int(tickInterval/Millisecond) {
		for _, m := range c.members {
			if m == leader {
				m.after(0, func() { c.clients.read(m) })
			} else {
				m.after(0, func() { c.clients.write(m, 1) })
			}
		}
		c.pass(Millisecond)
	}
	return c.err()
}
