package host

import (
	"testing"
	"time"
)

// The slowest clock that is allowed measures a lease, the fastest the promise that it rests on,
// which may be a tick shorter than it counts: whatever drift is allowed, the lease ends
// first, and is no shorter than that asks for.
func TestALeaseAllowsForTheDrift(t *testing.T) {
	for drift := 1; drift < 100; drift++ {
		for _, timeout := range []time.Duration{300 * time.Millisecond, time.Second, 10 * time.Second} {
			o := Options{LeaseReads: true, MaxClockDrift: drift, ElectionTimeout: timeout}
			o.setDefaults()
			lease, promise := o.leaseTicks(), o.replicaConfig(1).ElectionTicks-1
			lasts := func(ticks int) bool { return ticks*(100+drift) <= promise*(100-drift) }
			if !lasts(lease) || lasts(lease+1) {
				t.Errorf("with %d percent of drift a lease has %d ticks, the promise %d", drift, lease, promise)
			}
			if got := o.replicaConfig(1).LeaseTicks; got != lease {
				t.Errorf("the replica is told of %d ticks of a lease, not %d", got, lease)
			}
		}
	}
	if o := (Options{MaxClockDrift: 10, ElectionTimeout: time.Second, HeartbeatInterval: 100 * time.Millisecond}); o.leaseTicks() != 0 {
		t.Errorf("without LeaseReads a lease has %d ticks", o.leaseTicks())
	}
}
