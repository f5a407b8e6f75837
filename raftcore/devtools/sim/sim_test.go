package sim_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/devtools/simtest"
)

// TestSimulation is the evidence for the replica's safety and liveness.
func TestSimulation(t *testing.T) {
	simtest.Suite{
		Seeds:       10_000,
		Regressions: simtest.Regressions(t, "testdata/seeds.txt"),
		Coverage:    func(v sim.Coverage) []string { return v.Missing() },
	}.Run(t)
}
