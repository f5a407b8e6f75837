package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/replica"
)

// Result is what a run without a broken property gives.
type Result struct {
	Coverage Coverage
	History  []Operation
	Steps    int
	Time     Time
}

// Run simulates a cluster with faults for o.Steps steps, then mends everything (or a
// majority) and demands progress. An error is a *Failure, or tells what is wrong with
// the options.
func Run(o Options) (Result, error) {
	c, err := New(o)
	if err != nil {
		return Result{}, err
	}
	err = c.run()
	return c.result(), err
}

func (c *Cluster) result() Result {
	return Result{Coverage: c.coverage, History: c.History(), Steps: c.steps, Time: c.clock.now}
}

func (c *Cluster) run() error {
	for c.steps < c.options.Steps || len(c.up()) == 0 {
		if err := c.Next(); err != nil {
			return err
		}
	}
	c.guard(c.converge)
	return c.err()
}

// calmTimeouts is the bound on liveness: so many of the longest election timeouts
// after the last fault, a fresh write is applied on all members that run. It allows
// for several split votes, and for a follower that is brought up entry by entry.
const calmTimeouts = 30

// converge ends the faults and waits for a fresh write to be applied everywhere. Raft
// itself loses requests, so the client writes again after each longest timeout.
func (c *Cluster) converge() {
	c.faults.end(c.leaveOutside())
	timeout := Time(2*c.options.ElectionTicks) * tickInterval
	deadline := c.clock.now + calmTimeouts*timeout
	var writes []uint64
	for again := c.clock.now; c.failure == nil; c.clock.next() {
		if c.clock.now > deadline {
			c.fail(Liveness, "no fresh write was applied everywhere within %v without faults; members: %+v", calmTimeouts*timeout, c.Status())
			return
		}
		if c.converged(writes) {
			c.settle(timeout)
			return
		}
		if c.clock.now >= again {
			writes = append(writes, c.clients.write(pick(c.clients.r, c.well()), 1))
			again = c.clock.now + timeout
		}
	}
}

// leaveOutside chooses the minority that is not mended, when the options want one.
func (c *Cluster) leaveOutside() []*member {
	if !c.options.HealMajority {
		return nil
	}
	shuffled := slices.Clone(c.voters())
	c.faults.r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	return shuffled[:len(shuffled)-c.quorum()]
}

// well gives the members that were mended.
func (c *Cluster) well() []*member {
	return slices.DeleteFunc(c.up(), func(m *member) bool { return slices.Contains(c.faults.outside, m) })
}

// converged reports whether one of the writes is applied and all members that are well
// have the same log, committed and applied to its end.
func (c *Cluster) converged(writes []uint64) bool {
	applied := func(value uint64) bool { return c.check.values[value] != 0 }
	l := c.leader()
	if l == nil || !slices.ContainsFunc(writes, applied) {
		return false
	}
	for _, m := range c.well() {
		if m.leader != l.id || m.machine.last != l.log.Last() || m.log.Last() != l.log.Last() {
			return false
		}
	}
	return true
}

// leftovers is how long after the last fault something that it delayed may still come.
const leftovers = 300 * Millisecond

// settle demands that a converged cluster without faults keeps its leader, and that
// nothing that a client was told is missing from the state that all share.
func (c *Cluster) settle(timeout Time) {
	c.pass(leftovers)
	l := c.leader()
	if l == nil {
		c.fail(Liveness, "the leader is lost in peace; members: %+v", c.Status())
		return
	}
	term := l.term
	c.pass(5 * timeout)
	if l.role != replica.Leader || l.term != term {
		c.fail(Liveness, "member %d led term %d in peace, but lost its leadership without any fault; members: %+v", l.id, term, c.Status())
	}
	for _, op := range c.clients.history {
		if at := c.check.values[op.Value]; !op.Read && op.Done && (at == 0 || at > l.machine.last.Index) {
			c.fail(ClientsView, "the write of %d was acknowledged at %v, but is not in the state of all", op.Value, op.Return)
		}
	}
	c.coverage.MaxIndex = max(c.coverage.MaxIndex, l.machine.last.Index)
}

// pass lets some time pass.
func (c *Cluster) pass(d Time) {
	for end := c.clock.now + d; c.clock.now < end && c.failure == nil; {
		c.clock.next()
	}
}
