package raftdiff

// Changes of configuration (paper section 6, thesis chapter 4): random walks, in which
// both go from one configuration to the next.

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
)

// configuration is what is compared. A voter that is demoted in a joint configuration is a
// learner with us at once; the peer has it wait for the end of the joint one, since it
// votes until then in the outgoing half. Both mean the same: it counts in that half only.
type configuration struct{ Incoming, Outgoing, Learners []uint64 }

func ourConfiguration(m protocol.Membership) configuration {
	return configuration{numbers(m.Voters()), numbers(m.Outgoing), numbers(m.Learners())}
}

func numbers(ids []protocol.MemberID) []uint64 {
	var out []uint64
	for _, id := range ids {
		out = append(out, uint64(id))
	}
	slices.Sort(out)
	return out
}

func theirConfiguration(c tracker.Config) configuration {
	return configuration{sorted(c.Voters[0]), sorted(c.Voters[1]), sorted(c.Learners, c.LearnersNext)}
}

func sorted(sets ...map[uint64]struct{}) []uint64 {
	var out []uint64
	for _, set := range sets {
		for id := range set {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// changer is the peer's, which goes on from what it gave last.
type changer struct{ tracker tracker.ProgressTracker }

func newChanger(t *testing.T, voters []uint64) *changer {
	c := &changer{tracker.MakeProgressTracker(10, 0)}
	for _, id := range voters {
		if err := c.take(c.changer().Simple(single(pb.ConfChangeAddNode, id))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *changer) changer() confchange.Changer {
	return confchange.Changer{Tracker: c.tracker, LastIndex: 10}
}

func (c *changer) take(config tracker.Config, progress tracker.ProgressMap, err error) error {
	if err == nil {
		c.tracker.Config, c.tracker.Progress = config, progress
	}
	return err
}

func single(what pb.ConfChangeType, id uint64) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: what.Enum(), NodeId: new(id)}
}

// translate says the change in the peer's words.
func translate(c membership.Change) []*pb.ConfChangeSingle {
	var all []*pb.ConfChangeSingle
	for _, m := range c.Add {
		all = append(all, single(pb.ConfChangeAddLearnerNode, uint64(m.ID)))
	}
	for _, id := range c.Promote {
		all = append(all, single(pb.ConfChangeAddNode, uint64(id)))
	}
	for _, id := range c.Demote {
		all = append(all, single(pb.ConfChangeAddLearnerNode, uint64(id)))
	}
	for _, id := range c.Remove {
		all = append(all, single(pb.ConfChangeRemoveNode, uint64(id)))
	}
	return all
}

// drawChange draws a change of several members, each in one way that it can be changed.
func drawChange(r *rand.Rand, m protocol.Membership) membership.Change {
	var c membership.Change
	for id := membership.Highest(m) + 1; r.IntN(3) == 0; id++ {
		c.Add = append(c.Add, protocol.Member{ID: id, Address: "there"})
	}
	for _, x := range m.Members {
		switch what := r.IntN(8); {
		case what == 0:
			c.Remove = append(c.Remove, x.ID)
		case what == 1 && x.Suffrage == protocol.Voter:
			c.Demote = append(c.Demote, x.ID)
		case what <= 3 && x.Suffrage == protocol.Learner:
			c.Promote = append(c.Promote, x.ID)
		}
	}
	return c
}

// TestConfigurations lets both walk.
func TestConfigurations(t *testing.T) {
	r := dice(t)
	count := map[string]int{}
	for range 500 {
		var m protocol.Membership
		for id := range protocol.MemberID(1 + r.IntN(5)) {
			m.Members = append(m.Members, protocol.Member{ID: id + 1, Address: "here", Suffrage: protocol.Voter})
		}
		theirs := newChanger(t, numbers(m.Voters()))
		for range 20 {
			m = walk(t, r, m, theirs, count)
			if d := diff.Diff(theirConfiguration(theirs.tracker.Config), ourConfiguration(m)); d != "" {
				t.Fatalf("configurations (-theirs +ours):\n%s", d)
			}
		}
	}
	t.Logf("%v", count)
	for _, what := range []string{"single", "joint", "left", "refused"} {
		if count[what] == 0 {
			t.Errorf("never %s", what)
		}
	}
}

// walk makes one step: a change, or, from a joint configuration, its end.
func walk(t *testing.T, r *rand.Rand, m protocol.Membership, theirs *changer, count map[string]int) protocol.Membership {
	t.Helper()
	c := drawChange(r, m)
	next, err := membership.Next(m, c)
	var refused *membership.Error
	simple := theirs.take(theirs.changer().Simple(translate(c)...))
	switch {
	case errors.As(err, &refused) && refused.Reason == membership.Nothing:
		return m // the peer takes nothing for a change
	case err != nil:
		count["refused"]++
		if joint := theirs.take(theirs.changer().EnterJoint(true, translate(c)...)); simple == nil || joint == nil {
			t.Fatalf("%+v of %+v is refused: %v; the peer makes it", c, m, err)
		}
	case membership.IsJoint(next):
		count["joint"]++
		if err := theirs.take(theirs.changer().EnterJoint(true, translate(c)...)); simple == nil || err != nil {
			t.Fatalf("%+v of %+v is joint; the peer makes it single: %v, joint: %v", c, m, simple, err)
		}
	default:
		count["single"]++
		if simple != nil {
			t.Fatalf("%+v of %+v is single; the peer refuses that: %v", c, m, simple)
		}
	}
	if err == nil {
		m = next
	}
	if membership.IsJoint(m) && r.IntN(2) == 0 {
		count["left"]++
		if err := theirs.take(theirs.changer().LeaveJoint()); err != nil {
			t.Fatal(err)
		}
		return membership.Leave(m)
	}
	return m
}
