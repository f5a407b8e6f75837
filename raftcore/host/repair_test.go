package host_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport"
)

// write proposes n commands on the leader and waits until all members have them.
func (g *group) write(n int) {
	g.t.Helper()
	for i := range n {
		g.propose(g.leader(), fmt.Sprintf("command %d", i))
	}
	g.until("everybody has applied all", func() bool {
		for _, m := range g.members {
			if len(m.ledger.all()) != len(g.leader().ledger.all()) {
				return false
			}
		}
		return true
	})
}

// stop ends a member's process; start begins the next one on its disk.
func (g *group) stop(ms ...*member) {
	for _, m := range ms {
		m.Close() //nolint:errcheck // it may have failed on purpose
		m.log = m.log.Reopen()
	}
}

// neverLeads fails the test when a member begins to lead while its log is damaged.
func neverLeads(t *testing.T, m *member) func(host.State) {
	return func(s host.State) {
		if s.Role == replica.Leader && len(m.log.Damaged()) > 0 {
			t.Errorf("member %d leads in term %d with damaged records %v", m.id, s.Term, m.log.Damaged())
		}
	}
}

// healed waits until a member's log is whole and it has applied what the leader has.
func (g *group) healed(ms ...*member) {
	g.t.Helper()
	for _, m := range ms {
		g.until(fmt.Sprintf("member %d is healed", m.id), func() bool {
			return len(m.log.Damaged()) == 0 && len(m.Ailments()) == 0
		})
	}
	g.propose(g.leader(), "after the repair")
	g.until("all are equal", func() bool {
		want := g.leader().ledger.all()
		for _, m := range ms {
			if !slices.Equal(m.ledger.all(), want) {
				return false
			}
		}
		return true
	})
	for _, m := range ms {
		noted, over := m.reported.ailments()
		if len(noted) == 0 || len(over) == 0 || noted[0] != fault.LogCorrupt || over[len(over)-1] != fault.LogCorrupt || len(m.reported.kinds()) > 0 {
			g.t.Errorf("member %d noted %v, of which %v were over; unrecoverable were %v", m.id, noted, over, m.reported.kinds())
		}
	}
}

// A restarted follower finds damaged records: it gets them from the others and applies all.
func TestAFollowersDamageIsRepaired(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.write(10)
		ill := g.follower()
		g.stop(ill)
		for _, i := range []protocol.Index{2, 5, 6, 11} {
			ill.log.Damage(i)
		}
		g.start(ill)
		g.healed(ill)
	})
}

// While the others do not answer, a damaged member tells what it suffers from, applies
// nothing from the first hole on, and does not stand.
func TestADamagedMemberWaits(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.write(10)
		ill := g.follower()
		g.stop(g.members...)
		ill.log.Damage(6)
		g.start(ill)
		time.Sleep(time.Minute)
		s := ill.Status()
		if s.Role != replica.Follower || s.Fault != nil || len(s.Ailments) != 1 || s.Ailments[0].Kind != fault.LogCorrupt || s.Fitness != replica.Unable {
			t.Errorf("alone for a minute it is %v with fault %v, ailments %v, %v", s.Role, s.Fault, s.Ailments, s.Fitness)
		}
		for _, m := range g.members {
			if m != ill {
				g.start(m)
			}
		}
		g.healed(ill)
	})
}

// A leader that reads a damaged record for a laggard hands over, and repairs.
func TestALeaderWithDamageHandsOver(t *testing.T) {
	small := func(o *host.Options) { o.MaxTailBytes = 1 }
	bubble(t, 3, small, func(g *group) {
		g.write(5)
		l, lag := g.leader(), g.follower()
		g.board.Isolate(lag.id)
		for i := range 5 {
			g.propose(l, fmt.Sprint(i))
		}
		l.log.Damage(8)
		g.board.Heal()
		g.until("another one leads", func() bool { return g.otherLeads(l) })
		g.healed(l)
	})
}

// A transport may deliver a request for a repair before the one that starts the member has
// learned of the transport: the request is answered all the same.
func TestARepairIsAskedForWhileTheMemberStarts(t *testing.T) {
	var given atomic.Int32
	early := func(o *host.Options) {
		connect := o.Connect
		o.Connect = func(h transport.Handler) (transport.Comms, error) {
			c, err := connect(h)
			h.Receive([]protocol.Message{{From: o.ID%3 + 1, To: o.ID, Body: &protocol.RepairRequest{Entries: []protocol.EntryID{{Term: 1, Index: 1}}}}})
			synctest.Wait() // what is done with it is done
			return c, err
		}
	}
	bubble(t, 3, early, func(g *group) {
		g.board.DropIf(func(m protocol.Message) bool {
			if m.Body.Kind() == protocol.KindRepairResponse {
				given.Add(1)
			}
			return false
		})
		synctest.Wait()
		for _, m := range g.members {
			g.restart(m)
		}
		g.until("all are answered", func() bool { return given.Load() >= 3 })
	})
}

func TestTwoMembersRepairEachOther(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.write(10)
		down, a, b := g.members[0], g.members[1], g.members[2]
		g.stop(down, a, b)
		a.log.Damage(3)
		a.log.Damage(11)
		b.log.Damage(4)
		g.start(a)
		g.start(b)
		g.until("both are healed", func() bool { return len(a.log.Damaged())+len(b.log.Damaged()) == 0 })
		g.healed(a, b)
		g.start(down)
	})
}

// Two members have lost the same record and the third is down: nothing is voted away, they
// wait as long as it takes, and are healed when it comes back.
func TestTheLastCopyIsWaitedFor(t *testing.T) {
	bubble(t, 3, func(o *host.Options) { o.RepairPatience = time.Minute }, func(g *group) {
		g.write(10)
		want := g.leader().ledger.all()
		down, a, b := g.members[0], g.members[1], g.members[2]
		g.stop(down, a, b)
		a.log.Damage(7)
		b.log.Damage(7)
		g.start(a)
		g.start(b)
		time.Sleep(time.Hour)
		for _, m := range []*member{a, b} {
			if s := m.Status(); s.Fault != nil || s.Role == replica.Leader || s.Last.Index != 11 {
				t.Fatalf("after an hour member %d is %v with fault %v and a log up to %d", m.id, s.Role, s.Fault, s.Last.Index)
			}
		}
		g.start(down)
		g.healed(a, b)
		if got := g.leader().ledger.all(); !slices.Equal(got[:len(want)], want) {
			t.Errorf("of what was acknowledged this is left (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// lonely gives a leader that is cut off and has written an entry which nobody else has; the
// entry's index is given too. When it is stopped the others stand at once.
func lonely(g *group) (*member, protocol.Index) {
	g.write(5)
	old := g.leader()
	g.board.Isolate(old.id)
	go tryPropose(old, "only here", time.Second) //nolint:errcheck // nobody can commit it
	g.until("it is on the old leader's disk", func() bool { return old.log.State().Last == 7 })
	return old, 7
}

// The record that only the damaged member had is replaced when the others have gone on: they
// do not need it, and it was never committed.
func TestTheRecordThatNobodyElseHas(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old, i := lonely(g)
		g.stop(old)
		old.log.Damage(i)
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		g.board.Heal()
		g.start(old)
		g.healed(old)
		if slices.Contains(old.ledger.all(), "only here") {
			t.Error("what was never committed was applied")
		}
	})
}

// With only one of the others up, the record that nobody else has may not be left out: as far
// as these two know it may be committed. So nobody leads, until the third is back.
func TestTheRecordThatNobodyElseHasIsNotVotedAway(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old, i := lonely(g)
		var others []*member
		for _, m := range g.members {
			if m != old {
				others = append(others, m)
			}
		}
		g.stop(others...) // before the old leader: none of them becomes the next one, with an entry of its own
		g.stop(old)
		old.log.Damage(i)
		g.board.Heal()
		g.start(old)
		g.start(others[0])
		time.Sleep(time.Minute)
		for _, m := range []*member{old, others[0]} {
			if m.State().Role == replica.Leader {
				t.Fatalf("member %d leads", m.id)
			}
		}
		g.start(others[1])
		g.healed(old)
	})
}

// Nobody has the entry any more: that is told after a long time, as a fault that only a new
// member helps against.
func TestALostRecordIsAFault(t *testing.T) {
	few := func(o *host.Options) {
		o.RepairPatience = time.Minute
		if o.ID != 3 {
			o.SnapshotEntries, o.KeepEntries = 10, 1
		}
	}
	bubble(t, 3, few, func(g *group) {
		ill := g.members[2]
		g.write(30)
		if g.leader() == ill {
			if err := ill.Transfer(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
		}
		g.until("the others forget entry 3", func() bool {
			return g.members[0].log.State().Base.Index > 3 && g.members[1].log.State().Base.Index > 3
		})
		g.stop(ill)
		ill.log.Damage(3)
		g.start(ill)
		g.until("it is told", func() bool { return len(ill.Ailments()) > 0 })
		time.Sleep(30 * time.Second)
		if ill.Fault() != nil {
			t.Fatalf("after half a minute: %v", ill.Fault())
		}
		time.Sleep(time.Minute)
		if f := ill.Fault(); f == nil || f.Kind != fault.LogCorrupt {
			t.Errorf("after a minute and a half the fault is %v", f)
		}
		g.propose(g.leader(), "the others go on")
	})
}

func TestAloneDamageIsAFaultAtOnce(t *testing.T) {
	bubble(t, 1, nil, func(g *group) {
		g.write(5)
		g.stop(g.members[0])
		g.members[0].log.Damage(3)
		g.start(g.members[0])
		g.until("it is fenced", func() bool { return g.members[0].Fault() != nil })
		if f := g.members[0].Fault(); f.Kind != fault.LogCorrupt {
			t.Errorf("the fault is %v", f)
		}
	})
}

// The tests above must be able to fail.
func TestMutationsOfRepair(t *testing.T) {
	t.Run("CampaignWhileDamaged", func(t *testing.T) {
		led := false
		bubble(t, 3, func(o *host.Options) { o.Mutation = mutation.CampaignWhileDamaged }, func(g *group) {
			g.write(5)
			a, b := g.members[1], g.members[2]
			g.stop(g.members...)
			a.log.Damage(3)
			b.log.Damage(3)
			g.start(a)
			g.start(b)
			time.Sleep(time.Minute)
			led = a.State().Role == replica.Leader || b.State().Role == replica.Leader
			g.start(g.members[0])
		})
		if !led {
			t.Error("no damaged member has led")
		}
	})
	t.Run("RepairWithoutTermCheck", func(t *testing.T) {
		if givesOtherPayload(t, 0) {
			t.Error("another payload was given for a damaged entry, without the bug")
		}
		if !givesOtherPayload(t, mutation.RepairWithoutTermCheck) {
			t.Error("no other payload was given for a damaged entry")
		}
	})
}

// givesOtherPayload damages the record of an entry that nobody else has, and reports whether others
// who have another entry at its index gave that one for it.
func givesOtherPayload(t *testing.T, bug mutation.Set) bool {
	t.Helper()
	var changed atomic.Bool
	bubble(t, 3, func(o *host.Options) { o.Mutation = bug }, func(g *group) {
		old, i := lonely(g)
		g.stop(old)
		want, err := old.log.Read(i, i, 1)
		if err != nil {
			t.Fatal(err)
		}
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		for len(g.leader().ledger.all()) < 8 {
			g.propose(g.leader(), "only hers") // as long as the lost one
		}
		g.stop(old)
		old.log.Damage(i)
		g.board.Heal()
		g.board.DropIf(func(m protocol.Message) bool {
			if a, ok := m.Body.(*protocol.RepairResponse); ok && m.To == old.id {
				for _, e := range a.Entries {
					if e.ID() == want[0].ID() && string(e.Payload) != string(want[0].Payload) {
						changed.Store(true)
					}
				}
			}
			return false
		})
		g.start(old)
		time.Sleep(10 * time.Second)
	})
	return changed.Load()
}
