package replica_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// TestRandomRunsKeepRaftsProperties lets seeded clusters go through loss, duplication,
// reordering, crashes, slow disks, compaction and snapshots, checks the five
// properties of paper figure 3 as it goes, and that the cluster works again when
// the faults end.
func TestRandomRunsKeepRaftsProperties(t *testing.T) {
	seeds := 50
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		if err := newChaos(uint64(seed)).run(4000); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// chaos drives a world at random and remembers what must stay true.
type chaos struct {
	*world
	rng       *rand.Rand
	storm     bool    // many crashes and partitions
	sleepy    *member // its clock is slow
	changing  bool    // the membership changes
	proposals int
	readID    uint64
	leaders   map[protocol.Term]protocol.MemberID
	committed []protocol.Term // of the entries from 1 on
	decided   []protocol.Term // of the leaders that committed them
	asked     map[uint64]protocol.Index
	logs      map[protocol.MemberID]seenLog
}

// seenLog is what a leader's log was at the last look.
type seenLog struct {
	term  protocol.Term
	first protocol.Index
	terms []protocol.Term
}

func newChaos(seed uint64) *chaos {
	rng := rand.New(rand.NewPCG(seed, 1))
	c := &chaos{
		world: newWorld(3+2*rng.IntN(2), rng.IntN(2)), rng: rng,
		leaders: map[protocol.Term]protocol.MemberID{}, asked: map[uint64]protocol.Index{}, logs: map[protocol.MemberID]seenLog{},
	}
	c.storm = rng.IntN(2) == 0
	c.config.Seed = seed
	if c.storm {
		c.config.ElectionTicks, c.config.HeartbeatTicks = 4, 1
	}
	c.config.MaxTailBytes = []int{0, 100, 1000, 1 << 20}[rng.IntN(4)]
	c.config.MaxInflight = 1 + rng.IntN(4)
	c.config.MaxUncommittedBytes = 100 + rng.IntN(5000)
	c.config.Serial = rng.IntN(4) == 0
	c.config.MaxInflightBytes = []int{0, 50, 500}[rng.IntN(3)]
	c.config.MaxApplyBytes = []int{0, 1, 300}[rng.IntN(3)]
	c.config.LeasePromise = rng.IntN(3) == 0 // ticks come at random here: no leader may rely on it
	return c
}

func (c *chaos) run(steps int) error {
	if err := c.startAll(); err != nil {
		return err
	}
	for i := range steps {
		if err := c.act(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if err := c.check(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return c.heal()
}

// act does one thing to one member, mostly what keeps a cluster going.
func (c *chaos) act() error {
	m := c.members[c.rng.IntN(len(c.members))]
	if c.storm && c.rng.IntN(200) == 0 {
		return c.strike(m)
	}
	dice := c.rng.IntN(1000)
	if m.r == nil {
		if dice < 50 {
			return c.start(m)
		}
		return c.network(dice)
	}
	switch {
	case dice < 550:
		return c.network(dice)
	case dice < 720:
		if m == c.sleepy && dice > 560 {
			return nil
		}
		return c.step(m, replica.Tick{})
	case dice < 850:
		return c.persist(m)
	case dice < 900:
		_, err := c.settleOther(m)
		return err
	}
	return c.input(m, dice)
}

// strike crashes a member, lets one lose patience, cuts one off and slows its clock, or
// mends the links.
func (c *chaos) strike(m *member) error {
	switch c.rng.IntN(4) {
	case 0:
		c.crash(m)
	case 1:
		c.cut = nil
	case 2:
		c.sleepy, c.cut = m, map[link]bool{}
		odds := 1 + c.rng.IntN(4)
		for _, a := range c.members {
			for _, b := range c.members {
				c.cut[link{a.id, b.id}] = c.rng.IntN(odds+1) > 0 && (a == m) != (b == m) || c.rng.IntN(9) == 0
			}
		}
	case 3:
		for i := 0; i < 20 && m.r != nil; i++ {
			if err := c.step(m, replica.Tick{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// network delivers, and now and then loses, repeats or reorders.
func (c *chaos) network(dice int) error {
	if len(c.flying) == 0 {
		return nil
	}
	i := 0
	if dice%4 == 0 {
		i = c.rng.IntN(len(c.flying))
	}
	if dice%10 == 0 || len(c.flying) > 200 {
		c.flying = append(c.flying[:i], c.flying[i+1:]...)
		return nil
	}
	if dice%17 == 0 {
		c.flying = append(c.flying, c.flying[i])
	}
	return c.deliver(i)
}

func (c *chaos) settleOther(m *member) (bool, error) {
	switch {
	case len(m.todo) > 0:
		return true, c.applyAll(m)
	case len(m.fetches) > 0:
		return true, c.fetch(m)
	case len(m.snapshots) > 0:
		return true, c.snapshot(m, c.rng.IntN(3) == 0)
	}
	return false, nil
}

func (c *chaos) input(m *member, dice int) error {
	switch {
	case c.changing && c.rng.IntN(4) == 0:
		return c.changeMembers(m)
	case dice < 950:
		var payloads [][]byte
		for range 1 + c.rng.IntN(3) {
			c.proposals++
			payloads = append(payloads, fmt.Appendf(nil, "%d", c.proposals))
		}
		return c.step(m, replica.Propose{Kind: protocol.EntryCommand, Payloads: payloads})
	case dice < 980:
		c.readID++
		c.asked[c.readID] = protocol.Index(len(c.committed))
		return c.step(m, replica.Read{ID: c.readID})
	case dice < 985:
		c.crash(m)
		return nil
	case dice < 988:
		return c.step(m, replica.Transfer{To: protocol.MemberID(c.rng.IntN(len(c.members) + 1))})
	case dice < 990:
		return c.step(m, replica.Disconnected{Member: protocol.MemberID(1 + c.rng.IntN(len(c.members)))})
	case dice < 991:
		if c.rng.IntN(2) == 0 {
			return c.step(m, replica.Fitness{Level: replica.FitnessLevel(c.rng.IntN(3))})
		}
		return c.step(m, replica.Resign{})
	case dice < 994:
		s := m.r.Status()
		if upTo := protocol.Index(len(m.done)); upTo > s.Base.Index && m.disk.base.Index == m.log.base.Index {
			return c.compact(m, s.Base.Index+1+protocol.Index(c.rng.IntN(int(upTo-s.Base.Index))))
		}
	}
	return nil
}

// heal ends the faults: the cluster must elect a leader, commit, and agree.
func (c *chaos) heal() error {
	c.cut = nil
	if err := c.startAll(); err != nil {
		return err
	}
	for _, m := range c.members {
		if err := c.step(m, replica.Fitness{Level: replica.FitnessLevel(c.rng.IntN(2))}); err != nil {
			return err
		}
	}
	for range 200 {
		for _, m := range c.members {
			if err := c.step(m, replica.Tick{}); err != nil {
				return err
			}
		}
		if err := c.settle(); err != nil {
			return err
		}
		if err := c.check(); err != nil {
			return err
		}
	}
	var leader *member
	for _, m := range c.members {
		if m.r.Status().Role == replica.Leader {
			leader = m
		}
	}
	if leader == nil {
		return fmt.Errorf("no leader after the faults ended")
	}
	last := leader.r.Status().Last.Index
	for _, m := range c.members {
		if _, is := leader.r.Status().Membership.Find(m.id); !is {
			continue // it was removed, or never added
		}
		if s := m.r.Status(); s.Applied != last {
			return fmt.Errorf("member %d has applied %d of %d after the faults ended: %+v; its leader: %+v", m.id, s.Applied, last, s, leader.r.Status())
		}
	}
	return nil
}

// check holds the five properties against what every member says.
func (c *chaos) check() error {
	for _, m := range c.members {
		if m.r != nil {
			c.noteCommitted(m)
		}
	}
	for _, m := range c.members {
		if m.r == nil {
			continue
		}
		s := m.r.Status()
		if err := c.checkLeader(m, s); err != nil {
			return err
		}
		if err := c.checkCommitted(m, s); err != nil {
			return err
		}
	}
	if err := c.checkReads(); err != nil {
		return err
	}
	return c.checkLogMatching()
}

// checkLeader: Election Safety, Leader Append-Only, Leader Completeness.
func (c *chaos) checkLeader(m *member, s replica.Status) error {
	if s.Role != replica.Leader {
		delete(c.logs, m.id)
		return nil
	}
	if other, ok := c.leaders[s.Term]; ok && other != m.id {
		return fmt.Errorf("members %d and %d both lead in term %d", other, m.id, s.Term)
	}
	seen := c.logs[m.id]
	if _, old := c.leaders[s.Term]; !old {
		for i, t := range c.committed {
			if c.decided[i] > s.Term {
				break // votes that were given before have come after it
			}
			at, ok := m.r.TermAt(protocol.Index(i + 1))
			if ok && at != t || !ok && protocol.Index(i+1) > s.Last.Index {
				return fmt.Errorf("leader %d of term %d lacks the committed entry %d/%d", m.id, s.Term, t, i+1)
			}
		}
	}
	c.leaders[s.Term] = m.id
	if seen.term == s.Term {
		for i, t := range seen.terms {
			if at, ok := m.r.TermAt(seen.first + protocol.Index(i)); ok && at != t || !ok && seen.first+protocol.Index(i) > s.Last.Index {
				return fmt.Errorf("leader %d of term %d changed its entry %d", m.id, s.Term, seen.first+protocol.Index(i))
			}
		}
	}
	c.logs[m.id] = seenLog{s.Term, s.Base.Index, terms(m.r, s.Base.Index, s.Last.Index)}
	return nil
}

func (c *chaos) noteCommitted(m *member) {
	for i := protocol.Index(len(c.committed)) + 1; i <= m.r.Status().Commit; i++ {
		t, ok := m.r.TermAt(i)
		switch {
		case ok:
		case i <= protocol.Index(len(m.done)):
			t = m.done[i-1].Term
		default:
			return // a snapshot is being installed: another member tells
		}
		c.committed, c.decided = append(c.committed, t), append(c.decided, m.r.Status().Term)
	}
}

// checkCommitted: State Machine Safety; what was once committed stays.
func (c *chaos) checkCommitted(m *member, s replica.Status) error {
	for i := s.Base.Index + 1; i <= s.Commit; i++ {
		if t, _ := m.r.TermAt(i); t != c.committed[i-1] {
			return fmt.Errorf("member %d committed %d/%d, another one %d/%d", m.id, t, i, c.committed[i-1], i)
		}
	}
	for _, e := range m.done[max(0, len(m.done)-20):] {
		if e.Term != c.committed[e.Index-1] {
			return fmt.Errorf("member %d applied %d/%d, committed is term %d", m.id, e.Term, e.Index, c.committed[e.Index-1])
		}
	}
	return nil
}

// checkLogMatching: entries with equal index and term have equal logs before them.
func (c *chaos) checkLogMatching() error {
	for i, a := range c.members {
		for _, b := range c.members[i+1:] {
			if a.r == nil || b.r == nil {
				continue
			}
			sa, sb := a.r.Status(), b.r.Status()
			lo, hi := max(sa.Base.Index, sb.Base.Index), min(sa.Last.Index, sb.Last.Index)
			if lo > hi {
				continue
			}
			same := false
			ta, tb := terms(a.r, lo, hi), terms(b.r, lo, hi)
			for k := len(ta) - 1; k >= 0; k-- {
				if same && ta[k] != tb[k] {
					return fmt.Errorf("members %d and %d agree after entry %d but not on it", a.id, b.id, lo+protocol.Index(k))
				}
				same = same || ta[k] == tb[k]
			}
		}
	}
	return nil
}

// checkReads: no read index is below what was committed when the read was asked for.
func (c *chaos) checkReads() error {
	for _, m := range c.members {
		for _, x := range m.reads {
			if x.Index < c.asked[x.ID] {
				return fmt.Errorf("member %d reads %d at %d, but %d was committed before", m.id, x.ID, x.Index, c.asked[x.ID])
			}
		}
		m.reads = nil
	}
	return nil
}

func terms(r *replica.Replica, lo, hi protocol.Index) []protocol.Term {
	var ts []protocol.Term
	for i := lo; i <= hi; i++ {
		t, _ := r.TermAt(i)
		ts = append(ts, t)
	}
	return ts
}
