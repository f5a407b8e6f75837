package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// join starts a member that knows nobody.
func (g *group) join(id protocol.MemberID) *member {
	g.t.Helper()
	m := &member{id: id, stranger: true, log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}, reported: &reports{}}
	g.members = append(g.members, m)
	g.start(m)
	return m
}

// alter changes the membership on the leader, and asks again where that may help.
func (g *group) alter(c membership.Change) protocol.Membership {
	g.t.Helper()
	for range 200 {
		m, err := tryAlter(g.leader(), c, 20*time.Second)
		if err == nil {
			return m
		}
		if r, ok := errors.AsType[*replica.ChangeRefused](err); !ok || r.Reason == replica.ChangeInvalid {
			g.t.Fatalf("changing the membership by %+v: %v", c, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Fatalf("the membership cannot be changed by %+v", c)
	return protocol.Membership{}
}

func tryAlter(m *member, c membership.Change, bound time.Duration) (protocol.Membership, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return m.ChangeMembership(ctx, c)
}

func (g *group) add(id protocol.MemberID) {
	g.t.Helper()
	g.join(id)
	g.alter(membership.Change{Add: []protocol.Member{{ID: id, Address: fmt.Sprint(id)}}})
}

// agree waits until the members that are in the leader's membership have applied all that it
// has, and go by the same voters.
func (g *group) agree(voters ...protocol.MemberID) {
	g.t.Helper()
	g.until(fmt.Sprintf("%v are the voters, and all members are equal", voters), func() bool {
		l := g.leader()
		for _, m := range g.members {
			if _, is := l.Membership().Find(m.id); is && (!slices.Equal(m.Membership().Voters(), voters) || m.Applied() != l.Applied()) {
				return false
			}
		}
		return slices.Equal(l.Membership().Voters(), voters)
	})
}

// A group of three becomes one of others, member by member and while it works.
func TestAGroupMovesToOtherMembers(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.propose(g.leader(), "first")
		for _, out := range g.members[:3] {
			id := out.id + 3
			g.add(id)
			g.alter(membership.Change{Promote: []protocol.MemberID{id}})
			m := g.alter(membership.Change{Remove: []protocol.MemberID{out.id}})
			if _, still := m.Find(out.id); still || len(m.Voters()) != 3 {
				t.Fatalf("after member %d was to be replaced by %d the membership is %+v", out.id, id, m)
			}
			g.until("one that stays leads", func() bool { return out.State().Role != replica.Leader && g.leader() != out })
			g.propose(g.leader(), fmt.Sprint("without ", out.id))
			g.until(fmt.Sprintf("member %d knows that it was removed", out.id), func() bool { return out.State().Removed && out.Status().Removed })
			if s := out.State(); s.Role != replica.Learner {
				t.Errorf("member %d, which was removed, is %v", out.id, s.Role)
			}
			if _, err := tryPropose(out, "too late", time.Second); !errors.Is(err, host.ErrRemoved) {
				t.Errorf("a proposal on the removed member %d gives %v", out.id, err)
			}
			if err := barrier(out, time.Second); !errors.Is(err, host.ErrRemoved) {
				t.Errorf("a read on the removed member %d gives %v", out.id, err)
			}
		}
		for _, m := range g.members[:3] {
			m.Close() //nolint:errcheck // nobody needs it any more
		}
		g.propose(g.leader(), "last")
		g.agree(4, 5, 6)
		for _, m := range g.members[3:] {
			if got := m.ledger.all(); len(got) != 5 || got[0] != "first" || got[4] != "last" {
				t.Errorf("member %d has applied %v", m.id, got)
			}
		}
	})
}

// A replacement is one change; its answer comes when the joint configuration is left.
func TestReplacementInOneStep(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.add(4)
		for _, out := range g.members[:3] {
			if out != g.leader() {
				m := g.alter(membership.Change{Promote: []protocol.MemberID{4}, Remove: []protocol.MemberID{out.id}})
				if membership.IsJoint(m) || len(m.Members) != 3 {
					t.Errorf("the change ended with %+v", m)
				}
				g.until("the removed one knows", func() bool { return out.State().Removed })
				break
			}
		}
		g.agree(g.leader().Membership().Voters()...)
	})
}

func TestChangesAreRefused(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		f := g.follower()
		remove := membership.Change{Remove: []protocol.MemberID{f.id}}
		_, err := tryAlter(f, remove, time.Second)
		if r, ok := errors.AsType[*replica.ChangeRefused](err); !ok || r.Reason != replica.ChangeNotLeader || r.Leader != g.leader().id {
			t.Errorf("a follower gives %v", err)
		}
		l := g.leader()
		g.propose(l, "so that an entry of the term is committed")
		_, err = tryAlter(l, membership.Change{Add: []protocol.Member{{ID: 2, Address: "2"}}}, time.Second)
		if e, ok := errors.AsType[*membership.Error](err); !ok || e.Reason != membership.IDUsed || e.Member != 2 {
			t.Errorf("an ID that is used gives %v", err)
		}
		l.Close() //nolint:errcheck // it is well
		if _, err := tryAlter(l, remove, time.Second); !errors.Is(err, host.ErrClosed) {
			t.Errorf("a closed member gives %v", err)
		}
	})
}

// A change of a leader that is cut off is lost, and the one who asked is told so.
func TestChangeThatIsLost(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l := g.leader()
		g.propose(l, "so that an entry of the term is committed")
		g.board.Isolate(l.id)
		ended := make(chan error, 1)
		go func() {
			_, err := tryAlter(l, membership.Change{Remove: []protocol.MemberID{l.id%3 + 1}}, time.Hour)
			ended <- err
		}()
		g.until("another one leads", func() bool { return g.otherLeads(l) })
		g.board.Heal()
		if err := <-ended; !errors.Is(err, host.ErrChangeLost) {
			t.Errorf("the change ended with %v", err)
		}
		g.agree(1, 2, 3)
		if l.State().Removed {
			t.Error("the deposed leader says that it was removed")
		}
	})
}

// The membership survives that the log forgets its entry, restarts, and transfers by
// snapshots, also for a state machine with files of its own, of which no snapshots are kept.
func TestMembershipOutlivesItsEntry(t *testing.T) {
	for name, durable := range map[string]bool{"in snapshots": false, "with a durable state machine": true} {
		t.Run(name, func(t *testing.T) {
			disks := map[protocol.MemberID]*ledgerDisk{}
			change := func(o *host.Options) {
				if durable {
					durably(o, disks)
				}
				o.SnapshotEntries, o.KeepEntries = 10, 2
			}
			bubble(t, 3, change, func(g *group) {
				g.add(4)
				g.alter(membership.Change{Promote: []protocol.MemberID{4}})
				g.alter(membership.Change{Remove: []protocol.MemberID{1}})
				for i := range 40 {
					g.propose(g.leader(), fmt.Sprint(i))
				}
				g.agree(2, 3, 4)
				c := g.leader().Status().Configuration.Index
				for _, m := range g.members[1:] {
					if m.log.State().Base.Index <= c {
						t.Fatalf("member %d has a log from %d on, the configuration is of entry %d", m.id, m.log.State().Base.Index, c)
					}
					g.restart(m)
				}
				g.agree(2, 3, 4)
				g.add(5) // gets a snapshot
				g.alter(membership.Change{Promote: []protocol.MemberID{5}})
				g.agree(2, 3, 4, 5)
				for i := range 40 {
					g.propose(g.leader(), fmt.Sprint(i))
				}
				g.restart(g.members[4])
				g.agree(2, 3, 4, 5)
			})
		})
	}
}
