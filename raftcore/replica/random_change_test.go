package replica_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

var changeSeeds = flag.Int("change-seeds", 30, "number of random runs with changes of the membership")

// newChanging gives a chaos in which the membership changes all the time.
func newChanging(seed uint64) *chaos {
	c := newChaos(seed)
	c.changing = true
	c.config.ElectionTicks, c.config.HeartbeatTicks = 4, 1
	c.config.MaxPromotionLag = c.rng.IntN(10)
	return c
}

// TestRandomRunsChangeTheMembership does what TestRandomRunsKeepRaftsProperties does, and
// changes the membership as well.
func TestRandomRunsChangeTheMembership(t *testing.T) {
	seeds := *changeSeeds
	if testing.Short() {
		seeds /= 2
	}
	total := changeCounts{}
	for seed := range seeds {
		c := newChanging(uint64(seed))
		if err := c.run(3000); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		total.add(c.changes())
	}
	t.Logf("%+v", total)
	if total.Taken < seeds/2 || total.Joint == 0 || total.Members == 0 || len(total.Refused) < 5 {
		t.Errorf("the runs have not seen enough: %+v", total)
	}
}

// changeCounts is what runs have seen of changes.
type changeCounts struct {
	Taken, Joint int
	Members      int // that joined and were members in the end
	Refused      map[replica.ChangeReason]int
}

func (n *changeCounts) add(o changeCounts) {
	n.Taken, n.Joint, n.Members = n.Taken+o.Taken, n.Joint+o.Joint, n.Members+o.Members
	if n.Refused == nil {
		n.Refused = map[replica.ChangeReason]int{}
	}
	for r, k := range o.Refused {
		n.Refused[r] += k
	}
}

func (c *chaos) changes() changeCounts {
	n := changeCounts{Refused: map[replica.ChangeReason]int{}}
	for _, m := range c.members {
		for _, a := range m.answers {
			if a.Refused != nil {
				n.Refused[a.Refused.Reason]++
			} else {
				n.Taken++
			}
		}
		for _, e := range m.done {
			if e.Kind == protocol.EntryConfiguration {
				if x, err := memberships.DecodeMembership(e.Payload); err == nil && membership.IsJoint(x) {
					n.Joint++
				}
			}
		}
		if _, is := m.r.Status().Membership.Find(m.id); m.stranger && is {
			n.Members++
		}
	}
	return n
}

// mostMembers bounds how many members ever join.
const mostMembers = 9

// changeMembers asks a member, mostly one that leads, for a change of some members.
func (c *chaos) changeMembers(m *member) error {
	l := c.anyLeader()
	if c.rng.IntN(10) > 0 {
		m = l
	}
	if m == nil {
		return nil
	}
	var ch membership.Change
	for _, x := range m.r.Status().Membership.Members {
		switch dice := c.rng.IntN(8); {
		case dice == 0 && x.Suffrage == protocol.Voter:
			ch.Demote = append(ch.Demote, x.ID)
		case dice <= 1:
			ch.Remove = append(ch.Remove, x.ID)
		case dice <= 5 && x.Suffrage == protocol.Learner:
			ch.Promote = append(ch.Promote, x.ID)
		case dice == 6:
			ch.Update = append(ch.Update, protocol.Member{ID: x.ID, Address: fmt.Sprint("m", c.rng.IntN(100))})
		}
	}
	if len(c.members) < mostMembers && c.rng.IntN(4) == 0 {
		id := protocol.MemberID(len(c.members) + 1)
		ch.Add = append(ch.Add, protocol.Member{ID: id, Address: fmt.Sprint("m", id)})
		if err := c.start(c.join(id)); err != nil {
			return err
		}
	}
	return c.step(m, replica.Change{Change: ch})
}

func (c *chaos) anyLeader() *member {
	for _, m := range c.members {
		if m.r != nil && m.r.Status().Role == replica.Leader {
			return m
		}
	}
	return nil
}
