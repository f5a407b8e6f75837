package simtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/internal/mutation"
)

func buggy(seed uint64) sim.Options {
	return sim.OptionsFor(seed).Mutated(mutation.ApplyUncommitted)
}

// The runner stops after the failures that it was told to stop after, and says of a run
// that was stopped not what it did not reach.
func TestTheRunnerStopsAtFailures(t *testing.T) {
	asked := false
	s := Suite{Options: buggy, Coverage: func(sim.Coverage) []string { asked = true; return []string{"something"} }}
	r := newRunner(t, s, 500)
	r.run()
	if n := len(r.failures); n < *failures || r.coverage.Runs >= 500 {
		t.Errorf("%d failures in %d runs, want it to stop after %d", n, r.coverage.Runs, *failures)
	}
	if got := r.missing(); got != nil || asked {
		t.Errorf("a run that was stopped misses %v", got)
	}
	if got := r.summary(); !strings.Contains(got, "failures") {
		t.Errorf("the summary is %q", got)
	}
}

func TestTheRunnerRunsRegressionsFirst(t *testing.T) {
	var seeds []uint64
	s := Suite{
		Seeds: 3, Regressions: []sim.Options{sim.Calm(77, 3)},
		Options: func(seed uint64) sim.Options { seeds = append(seeds, seed); return sim.Calm(seed, 1) },
	}
	r := newRunner(t, s, 3)
	r.run()
	if r.coverage.Runs != 4 || len(r.failures) > 0 || len(seeds) != 3 || seeds[0] != *first {
		t.Errorf("%d runs of the seeds %v, %d failures", r.coverage.Runs, seeds, len(r.failures))
	}
}

// A failure that is recorded is a regression from then on, and is recorded once.
func TestFailuresAreRecorded(t *testing.T) {
	_, err := sim.Run(buggy(1))
	f, ok := err.(*sim.Failure) //nolint:errorlint // Run gives it as it is
	if !ok {
		t.Fatalf("the bug gave %v", err)
	}
	file := filepath.Join(t.TempDir(), "seeds.txt")
	for range 2 {
		if err := remember(file, f); err != nil {
			t.Fatal(err)
		}
	}
	all := Regressions(t, file)
	if len(all) != 1 || all[0].String() != f.Options.String() {
		text, err := os.ReadFile(file)
		t.Errorf("%d regressions, %v:\n%s", len(all), err, text)
	}
}
