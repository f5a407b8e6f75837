package filelog

import (
	"slices"
	"sync/atomic"
	"testing"
)

// Crashes take every branch of recovery but those that only damage leads to: a slot of the vote
// is a sector, which is never torn.
var branchesOfDamage = []branch{branchHole, branchVoteTorn}

func branchesOfCrashes() []branch {
	var all []branch
	for b := range branches {
		if !slices.Contains(branchesOfDamage, b) {
			all = append(all, b)
		}
	}
	return all
}

// wantBranches counts how recovery goes until the test ends, and wants these branches
// taken.
func wantBranches(t *testing.T, wanted ...branch) {
	t.Helper()
	var counts [branches]atomic.Int64
	branchTaken = func(b branch) { counts[b].Add(1) }
	t.Cleanup(func() {
		branchTaken = nil
		for _, b := range wanted {
			n := counts[b].Load()
			t.Logf("%-26s %9d", branchNames[b], n)
			if n == 0 && !t.Failed() {
				t.Errorf("recovery never came to: %s", branchNames[b])
			}
		}
	})
}
