package spec

import (
	"errors"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/internal/mutation"
)

// TestGuardsBite shows that the guards notice bugs: with each of them switched on, a run soon has a
// step that the specification does not explain, and the same run without the bug has none.
// Bugs in what stutters are not among them, such as those of reads and sessions.
func TestGuardsBite(t *testing.T) {
	tests := []struct {
		name string
		bug  mutation.Set
		says string // the guard
	}{
		{"CommitOldTerm", mutation.CommitOldTerm, "AdvanceCommitIndex is not enabled: log["},
		{"VoteInMemory", mutation.VoteInMemory, "a vote for 0 are written, the actions end with currentTerm"},
		{"AckBeforeSync", mutation.AckBeforeSync, "Leave is not enabled"},
		{"VoteByIndexOnly", mutation.VoteByIndexOnly, "HandleRequestVoteRequest is not enabled"},
		{"KeepOldTail", mutation.KeepOldTail, "entries are written from"},
		{"ApplyUncommitted", mutation.ApplyUncommitted, "is applied, commitIndex is"},
		{"VoteTwice", mutation.VoteTwice, "HandleRequestVoteRequest is not enabled"},
		{"LeaderCountsUnsynced", mutation.LeaderCountsUnsynced, "AdvanceCommitIndex is not enabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			others, last := 0, (*sim.Failure)(nil)
			for seed := uint64(1); seed <= 500; seed++ {
				f := explain(t, options(seed).Mutated(tt.bug))
				if f == nil {
					continue
				}
				if f.Property == sim.Observed && strings.Contains(f.Detail, tt.says) {
					t.Logf("seed %d, step %d: %s", seed, f.Step, f.Detail)
					if f := explain(t, options(seed)); f != nil {
						t.Errorf("seed %d fails without the bug: %v", seed, f)
					}
					return
				}
				others, last = others+1, f
			}
			t.Errorf("500 seeds never gave %q, but %d others; the last one: %v", tt.says, others, last)
		})
	}
}

// explain runs a simulation and gives its failure, or nil.
func explain(t *testing.T, o sim.Options) *sim.Failure {
	t.Helper()
	_, err := sim.RunObserved(o, New().Observe)
	var f *sim.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatal(err)
	}
	return f
}
