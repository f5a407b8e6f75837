package spec

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// changing runs a calm group of three voters and two learners whose configuration changes
// all the time, and gives what is not explained. The voters 2 and 3 stay.
func changing(t *testing.T, seed uint64, bug mutation.Set) (*Check, *sim.Failure) {
	t.Helper()
	o := sim.Calm(seed, 3).Mutated(bug)
	o.Learners = 2
	c := New()
	cluster, err := sim.NewObserved(o, c.Observe)
	r := rand.New(rand.NewPCG(seed, 1))
	for n := 0; err == nil && n < 40; n++ {
		for _, s := range cluster.Status() {
			if s.Up && s.Role == replica.Leader {
				cluster.Change(s.Member, drawn(r))
				cluster.Propose(s.Member)
			}
		}
		if r.IntN(8) == 0 { // before its NoOp is committed, the next leader is asked to change
			_, err = cluster.Run(pauser.Becomes(pauser.Any, replica.Leader), sim.Second)
			cluster.Transfer(leaderOf(cluster), protocol.MemberID(2+r.IntN(2)))
		}
		for k := r.IntN(30); err == nil && k > 0; k-- {
			err = cluster.Next()
		}
	}
	var f *sim.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatal(err)
	}
	return c, f
}

func leaderOf(c *sim.Cluster) protocol.MemberID {
	for _, s := range c.Status() {
		if s.Up && s.Role == replica.Leader {
			return s.Member
		}
	}
	return 1
}

// drawn draws what may be possible; the leader refuses the rest.
func drawn(r *rand.Rand) membership.Change {
	var c membership.Change
	for _, id := range []protocol.MemberID{1, 4, 5} {
		switch r.IntN(5) {
		case 0:
			c.Promote = append(c.Promote, id)
		case 1:
			c.Demote = append(c.Demote, id)
		case 2:
			if id == 1 && r.IntN(10) == 0 {
				c.Remove = append(c.Remove, id)
			}
		}
	}
	return c
}

// TestChangesAreExplained explains changes of the configuration, single and joint ones.
func TestChangesAreExplained(t *testing.T) {
	changes, joint := 0, 0
	for seed := uint64(1); seed <= 40; seed++ {
		c, f := changing(t, seed, 0)
		if f != nil {
			t.Fatalf("seed %d: %v", seed, f)
		}
		changes += c.Actions()["ChangeConfiguration"]
		for _, m := range c.configurations {
			if len(m.Outgoing) > 0 {
				joint++
			}
		}
	}
	t.Logf("%d changes, %d joint", changes, joint)
	if changes < 100 || joint < 20 {
		t.Errorf("only %d changes, %d of them joint", changes, joint)
	}
}

// TestGuardsOfChangesBite switches on bugs in changes.
func TestGuardsOfChangesBite(t *testing.T) {
	tests := []struct {
		name string
		bug  mutation.Set
		says string
	}{
		{"ChangeBeforeCommitInTerm", mutation.ChangeBeforeCommitInTerm, "nothing is committed in currentTerm"},
		{"ChangeEffectOnCommit", mutation.ChangeEffectOnCommit, "the replica goes by the configuration"},
		{"JointNeedsOnlyNew", mutation.JointNeedsOnlyNew, "AdvanceCommitIndex is not enabled"},
		{"RemovedLeaderCountsItself", mutation.RemovedLeaderCountsItself, "AdvanceCommitIndex is not enabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			others := 0
			for seed := uint64(1); seed <= 300; seed++ {
				_, f := changing(t, seed, tt.bug)
				if f != nil && strings.Contains(f.Detail, tt.says) {
					t.Logf("seed %d: %s", seed, f.Detail)
					return
				}
				if f != nil {
					others++
				}
			}
			t.Errorf("300 seeds never gave %q, but %d others", tt.says, others)
		})
	}
}
