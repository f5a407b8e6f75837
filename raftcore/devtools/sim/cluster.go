package sim

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// tickInterval is the time between two ticks of a member whose clock is right.
const tickInterval = 10 * Millisecond

// The intervals of the clocks that are wrong the most.
const (
	fastest = tickInterval - tickInterval/5
	slowest = tickInterval + tickInterval/5
)

// Cluster is a simulated cluster. It is one value, driven from one goroutine: nothing
// happens but in [Cluster.Next] and in the verbs below it.
type Cluster struct {
	options Options
	clock   clock
	members []*member
	network network
	clients clients
	work    work
	faults  faults
	check   checker
	trace   trace

	boots    random
	steps    int // inputs stepped so far
	failure  *Failure
	watchers []func(pauser.Event)
	observer func(Observation) error // nil: nobody observes
	coverage Coverage

	decoded map[string]protocol.Membership
	asked   uint64           // the last change that was asked for
	made    protocol.EntryID // of the last change that was taken, in this phase
}

// New makes a cluster whose members have just started with empty disks.
func New(o Options) (*Cluster, error) { return NewObserved(o, nil) }

// begin starts the members of a cluster that has its options and its observer.
func (c *Cluster) begin() {
	o := c.options
	c.boots = newRandom(o.Seed, streamBoots)
	c.decoded = map[string]protocol.Membership{}
	c.network = newNetwork(c)
	c.check = newChecker(c)
	ticks := newRandom(o.Seed, streamTicks)
	for i := range o.Members + o.Learners {
		c.members = append(c.members, newMember(c, protocol.MemberID(i+1), ticks))
	}
	c.clients = newClients(c)
	c.work = newWork(c)
	c.faults = newFaults(c)
	c.guard(c.faults.begin)
}

// Next lets the next thing happen. It gives a *Failure when a property of Raft is
// broken: the cluster is of no use after that.
func (c *Cluster) Next() error {
	if c.failure == nil {
		c.guard(c.clock.next)
	}
	return c.err()
}

// Run lets things happen until the condition is met and gives the event that met it.
// It gives an error when a property is broken, or the condition is not met within d.
func (c *Cluster) Run(until pauser.Condition, d Time) (pauser.Event, error) {
	var found *pauser.Event
	c.Watch(func(e pauser.Event) {
		if found == nil && until(e) {
			found = &e
		}
	})
	defer func() { c.watchers = c.watchers[:len(c.watchers)-1] }()
	for deadline := c.clock.now + d; found == nil; {
		if err := c.Next(); err != nil {
			return pauser.Event{}, err
		}
		if c.clock.now > deadline {
			return pauser.Event{}, fmt.Errorf("the condition was not met within %v; members: %v", d, c.Status())
		}
	}
	return *found, nil
}

// Watch calls the function at every event from now on.
func (c *Cluster) Watch(f func(pauser.Event)) { c.watchers = append(c.watchers, f) }

// Now gives the simulated time.
func (c *Cluster) Now() Time { return c.clock.now }

// Status gives what can be seen of all members, by ID.
func (c *Cluster) Status() []pauser.Status {
	all := make([]pauser.Status, len(c.members))
	for i, m := range c.members {
		all[i] = m.status()
	}
	return all
}

// Propose gives a payload of a register's write to a member, as a client would.
func (c *Cluster) Propose(id protocol.MemberID) { c.guard(func() { c.clients.write(c.member(id), 1) }) }

// Crash stops a member; what is not durable is lost.
func (c *Cluster) Crash(id protocol.MemberID) { c.guard(c.member(id).crash) }

// Restart starts a member that crashed.
func (c *Cluster) Restart(id protocol.MemberID) {
	if m := c.member(id); m.raft == nil {
		c.guard(m.start)
	}
}

// Cut lets nothing through from one member to another, in this direction.
func (c *Cluster) Cut(from, to protocol.MemberID) { c.network.cut(c.member(from), c.member(to)) }

// Heal undoes every Cut.
func (c *Cluster) Heal() { c.network.heal() }

// Transfer asks a member, if it leads, to hand over to another (0: to any).
func (c *Cluster) Transfer(id, to protocol.MemberID) {
	c.guard(func() { c.member(id).step(replica.Transfer{To: to}) })
}

func (c *Cluster) member(id protocol.MemberID) *member { return c.members[id-1] }

// up gives the members that run.
func (c *Cluster) up() []*member {
	var up []*member
	for _, m := range c.members {
		if m.raft != nil {
			up = append(up, m)
		}
	}
	return up
}

// others gives all members but these.
func (c *Cluster) others(these []*member) []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return slices.Contains(these, m) })
}

// leader gives the running leader of the highest term, or nil.
func (c *Cluster) leader() *member {
	var l *member
	for _, m := range c.members {
		if m.raft != nil && m.role == replica.Leader && (l == nil || m.term > l.term) {
			l = m
		}
	}
	return l
}

// voters gives those of the configuration that was committed last.
func (c *Cluster) voters() []*member {
	var voters []*member
	for _, id := range c.check.config.Voters() {
		voters = append(voters, c.member(id))
	}
	return voters
}

func (c *Cluster) quorum() int { return len(c.check.config.Voters())/2 + 1 }

func (c *Cluster) emit(e pauser.Event) {
	if len(c.watchers) > 0 {
		e.Group = c.Status()
	}
	for _, w := range c.watchers {
		w(e)
	}
}

func (c *Cluster) note(m *member, format string, args ...any) {
	e := pauser.Event{Kind: pauser.Fault, Note: fmt.Sprintf(format, args...)}
	if m != nil {
		e.Member = m.id
	}
	c.trace.add(c.clock.now, e.Member, e.Note)
	c.emit(e)
}

// fail records the first property that is broken.
func (c *Cluster) fail(p Property, format string, args ...any) {
	if c.options.fiveOnly && !p.isOfFigure3() {
		return
	}
	if c.failure == nil {
		c.failure = &Failure{Options: c.options, Property: p, Step: c.steps, At: c.clock.now, Detail: fmt.Sprintf(format, args...)}
	}
}

func (c *Cluster) err() error {
	if c.failure == nil {
		return nil
	}
	if c.failure.Trace == nil {
		c.failure.Trace = c.trace.lines()
	}
	return c.failure
}

// guard turns a panic of the replica into a failure with the seed and the trace.
func (c *Cluster) guard(do func()) {
	defer func() {
		if p := recover(); p != nil {
			c.fail(NoPanic, "%v\n%s", p, debug.Stack())
		}
	}()
	do()
}
