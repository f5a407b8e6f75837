package sim

import (
	"errors"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// TestARepairIsOfItsTerm damages an entry of a fallen leader that nobody else has, and lets it
// ask a follower that has another leader's entry at that index. The entry is missed, and
// overwritten when the leader comes through; a member that answers by index alone would put the
// other entry in the place of the one that was written there.
func TestARepairIsOfItsTerm(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		if err := askForAFallenLeadersEntry(t, seed, 0); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		err := askForAFallenLeadersEntry(t, seed, mutation.RepairWithoutTermCheck)
		if f, ok := errors.AsType[*Failure](err); !ok || f.Property != LogMatching {
			t.Errorf("seed %d: answers by index alone end with %v, want broken %v", seed, err, LogMatching)
		}
	}
}

func askForAFallenLeadersEntry(t *testing.T, seed uint64, bug mutation.Set) error {
	t.Helper()
	o := Calm(seed, 3)
	o.mutation = bug
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	await := func(what string, until func() bool) {
		t.Helper()
		for deadline := c.Now() + patience; !until() && c.failure == nil; {
			if c.guard(c.clock.next); c.Now() > deadline {
				t.Fatalf("seed %d: %s: members are %v", seed, what, c.Status())
			}
		}
	}
	if _, err := c.Run(pauser.ElectionDone(), patience); err != nil {
		return err
	}
	old := c.leader()
	for _, m := range c.others([]*member{old}) {
		c.network.cutBoth(m, old)
	}
	c.Propose(old.id)
	await("the entry is on the old leader's disk", func() bool { return old.disk.log.Last() == old.log.Last() && old.log.Last().Index > 1 })
	lost := old.disk.log.Last()
	c.Crash(old.id)
	await("another leads", func() bool { return c.leader() != nil })
	now := c.leader()
	c.Propose(now.id)
	follower := c.others([]*member{old, now})[0]
	await("the follower has another entry there", func() bool { return follower.disk.log.Last().Index > lost.Index })

	old.disk.log.Damage(lost.Index)
	c.Heal()
	c.network.cutBoth(old, now)
	c.Restart(old.id)
	answered := false
	c.Watch(func(e pauser.Event) {
		answered = answered || pauser.Arrives(protocol.KindRepairResponse, follower.id, old.id)(e)
	})
	await("the follower has answered", func() bool { return answered })
	c.pass(10 * tickInterval) // a repair takes a while to be written
	if bug == 0 && c.coverage.Repaired > 0 {
		t.Errorf("seed %d: entry %v, which nobody else has, was repaired", seed, lost)
	}
	c.Heal()
	return c.Finish()
}
