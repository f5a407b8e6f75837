package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
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
	err = c.Finish()
	return c.result(), err
}

func (c *Cluster) result() Result {
	return Result{Coverage: c.coverage, History: c.History(), Steps: c.steps, Time: c.clock.now}
}

// Finish runs a cluster that New has made to the end, as Run does.
func (c *Cluster) Finish() error {
	for phase := 1; ; phase++ {
		for c.faults.steps < c.options.Steps*phase/c.options.Phases || len(c.up()) == 0 {
			if err := c.Next(); err != nil {
				return err
			}
		}
		c.guard(c.converge)
		if c.failure != nil || phase == c.options.Phases {
			break
		}
		c.coverage.Phases++
		c.guard(c.faults.begin)
	}
	c.guard(c.settle)
	return c.err()
}

// calmTimeouts is the bound on liveness: so many of the longest election timeouts
// after the last fault, a fresh write is applied on all members that run. It allows
// for several split votes, and for a follower that is brought up entry by entry.
const calmTimeouts = 30

func (c *Cluster) longestTimeout() Time { return Time(2*c.options.ElectionTicks) * tickInterval }

// converge ends the faults and waits for a fresh write to be applied everywhere. Raft
// itself loses requests, so the client writes again after each longest timeout.
func (c *Cluster) converge() {
	c.faults.end(c.leaveOutside())
	timeout := c.longestTimeout()
	deadline := c.clock.now + calmTimeouts*timeout
	if c.options.Faults&(Changes|losses) != 0 {
		deadline += calmTimeouts * timeout
	}
	var writes []uint64
	for again := c.clock.now; c.failure == nil; c.clock.next() {
		if c.clock.now > deadline {
			c.fail(Liveness, "no fresh write was applied everywhere within %v without faults; members: %+v", calmTimeouts*timeout, c.Status())
			return
		}
		if c.mendMembership(false) && c.converged(writes) {
			return
		}
		if c.clock.now >= again {
			if well := c.well(); len(well) > 0 {
				writes = append(writes, c.clients.write(pick(c.clients.r, well), 1))
			}
			c.mendMembership(true)
			again = c.clock.now + timeout
		}
	}
}

// leaveOutside chooses the minority that is not mended, when the options want one.
func (c *Cluster) leaveOutside() []*member {
	if !c.options.HealMajority || c.options.Faults&(Changes|losses) != 0 {
		return nil
	}
	shuffled := slices.Clone(c.voters())
	c.faults.r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	return shuffled[:len(shuffled)-c.quorum()]
}

// well gives the members that were mended, and have a part in the cluster.
func (c *Cluster) well() []*member {
	in := everybody(c.check.config)
	return slices.DeleteFunc(c.up(), func(m *member) bool {
		return slices.Contains(c.faults.outside, m) || !slices.Contains(in, m.id)
	})
}

// converged reports whether one of the writes is applied by all members that are well, and
// they have the same log, committed and applied to its end. Where some members have links
// with a part of the others only, one of them may lead, and those that it does not reach
// need not hear of anything: then a quorum must have applied the write.
func (c *Cluster) converged(writes []uint64) bool {
	first := protocol.Index(0)
	for _, w := range writes {
		if at := c.check.values[w]; at > 0 && (first == 0 || at < first) {
			first = at
		}
	}
	l := c.leader()
	if l == nil || first == 0 {
		return false
	}
	if c.options.HalfLinked && len(c.faults.outside) > 0 {
		return c.applied(first) >= c.quorum()
	}
	for _, m := range c.well() {
		if m.suspects || m.leader != l.id || m.machine.last != l.log.Last() || m.log.Last() != l.log.Last() {
			return false
		}
	}
	return true
}

// applied counts the voters that have applied the index.
func (c *Cluster) applied(i protocol.Index) int {
	n := 0
	for _, m := range c.voters() {
		if m.raft != nil && m.machine.last.Index >= i {
			n++
		}
	}
	return n
}

// leftovers is how long after the last fault something that it delayed may still come.
const leftovers = 300 * Millisecond

// settle demands that a converged cluster without faults keeps its leader, and that
// nothing that a client was told is missing from the state that all share.
func (c *Cluster) settle() {
	c.pass(leftovers)
	// What was left over may have cost the leader, as when one wakes that had slept.
	for deadline := c.clock.now + calmTimeouts*c.longestTimeout(); c.leader() == nil && c.clock.now < deadline && c.failure == nil; {
		c.clock.next()
	}
	l := c.leader()
	if l == nil {
		c.fail(Liveness, "the leader is lost in peace; members: %+v", c.Status())
		return
	}
	term := l.term
	c.pass(5 * c.longestTimeout())
	if l.role != replica.Leader || l.term != term {
		c.fail(Liveness, "member %d led term %d in peace, but lost its leadership without any fault; members: %+v", l.id, term, c.Status())
	}
	for _, op := range c.clients.history {
		if at := c.check.values[op.Value]; !op.Read && op.Done && (at == 0 || at > l.machine.last.Index) {
			c.fail(ClientsView, "the write of %d was acknowledged at %v, but is not in the state of all", op.Value, op.Return)
		}
	}
	c.work.judge()
	c.coverage.MaxIndex = max(c.coverage.MaxIndex, l.machine.last.Index)
}

// pass lets some time pass.
func (c *Cluster) pass(d Time) {
	for end := c.clock.now + d; c.clock.now < end && c.failure == nil; {
		c.clock.next()
	}
}
