package sim

import (
	"errors"
	"fmt"
	"testing"

	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// TestMutations shows that the simulation would notice bugs: with each of them
// switched on, one of the first thousand seeds breaks a property that has to do with
// the bug. Where the bug can end in harm that paper figure 3 speaks of, a second search
// looks at nothing but the five properties of that figure.
func TestMutations(t *testing.T) {
	tests := []struct {
		name   string
		bug    mutation.Set
		favour func(*Options) // what the bug needs to show
		all    []Property     // noticed with all checks on
		five   []Property     // noticed with the checks of figure 3 alone; none: it ends in other harm
	}{
		{
			"CommitOldTerm", mutation.CommitOldTerm, shortReigns,
			[]Property{LeaderCompleteness, StateMachineSafety},
			[]Property{LeaderCompleteness, StateMachineSafety},
		},
		{
			"VoteInMemory", mutation.VoteInMemory, slowDisks,
			[]Property{Promises},
			[]Property{ElectionSafety},
		},
		{
			"AckBeforeSync", mutation.AckBeforeSync, slowDisks,
			[]Property{Promises, QuorumDisks},
			[]Property{LeaderCompleteness, StateMachineSafety},
		},
		{
			"VoteByIndexOnly", mutation.VoteByIndexOnly, shortReigns,
			[]Property{LeaderCompleteness, StateMachineSafety},
			[]Property{LeaderCompleteness, StateMachineSafety},
		},
		{
			"KeepOldTail", mutation.KeepOldTail, shortReigns,
			[]Property{LogMatching},
			[]Property{LogMatching},
		},
		{
			"ApplyUncommitted", mutation.ApplyUncommitted, shortReigns,
			[]Property{Invariants},
			[]Property{StateMachineSafety},
		},
		{
			"CursorOnlyUp", mutation.CursorOnlyUp, lostLogs,
			[]Property{Liveness, QuorumDisks},
			nil,
		},
		{
			"ReadWithoutQuorum", mutation.ReadWithoutQuorum, staleLeaders,
			[]Property{ClientsView},
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			t.Run("all checks", func(t *testing.T) { hunt(t, tt.bug, tt.favour, false, tt.all) })
			if tt.five != nil {
				t.Run("figure 3 alone", func(t *testing.T) { hunt(t, tt.bug, tt.favour, true, tt.five) })
			}
		})
	}
}

// hunt looks for a seed whose run breaks one of the properties because of the bug.
func hunt(t *testing.T, bug mutation.Set, favour func(*Options), fiveOnly bool, properties []Property) {
	others := map[Property]int{}
	for seed := uint64(1); seed <= 1000; seed++ {
		o := OptionsFor(seed)
		favour(&o)
		o.mutation, o.fiveOnly = bug, fiveOnly
		_, err := Run(o)
		var f *Failure
		if err == nil {
			continue
		}
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		for _, p := range properties {
			if f.Property == p {
				t.Logf("seed %d, step %d: %s: %s", seed, f.Step, f.Property, f.Detail)
				mustBeWell(t, o)
				return
			}
		}
		others[f.Property]++
	}
	t.Errorf("1000 seeds broke none of %v, but others: %v", properties, fmt.Sprint(others))
}

// mustBeWell shows that it was the bug, and nothing else, that broke the property.
func mustBeWell(t *testing.T, o Options) {
	t.Helper()
	o.mutation, o.fiveOnly = 0, false
	if f := failureOf(o); f != nil {
		t.Errorf("the same run fails without the bug: %v", f)
	}
}
