package host

import (
	"time"

	"github.com/quorate/quorate/raftcore/replica"
)

// A lease rests on ticks that keep pace with time: on the leader none may be missing when it
// answers a read, and on a follower those of the past must not come after a message that it
// has just taken. A loop that was held up, by its machine or by the runtime, therefore
// steps all the ticks that are due after it has taken its work and before it does it.
//
// The clock is the monotonic one of package time. It stands still while the whole machine is
// suspended: see the assumption at Options.LeaseReads.

func (o *Options) leases() bool { return o.LeaseReads || o.LeasePromise }

// leaseTicks gives how many ticks of the slowest clock that is allowed pass for sure before
// an election timeout of the fastest. That timeout may be a tick shorter than it counts, since
// it begins between two of them.
func (o *Options) leaseTicks() int {
	if !o.LeaseReads {
		return 0
	}
	return (int(o.ElectionTimeout/o.tick()) - 1) * (100 - o.MaxClockDrift) / (100 + o.MaxClockDrift)
}

// tick is called at each tick of the loop's clock.
func (h *Host) tick() {
	if h.opts.leases() {
		h.keepPace()
		return
	}
	h.step(replica.Tick{})
}

// keepPace steps the ticks that are due, when somebody may rely on them. After a few election
// timeouts more of them would tell nothing new.
func (h *Host) keepPace() {
	if !h.opts.leases() {
		return
	}
	now, tick := time.Now(), h.opts.tick()
	if most := 4 * h.opts.ElectionTimeout; now.Sub(h.ticked) > most {
		h.ticked = now.Add(-most)
	}
	for now.Sub(h.ticked) >= tick {
		h.ticked = h.ticked.Add(tick)
		h.step(replica.Tick{})
	}
}
