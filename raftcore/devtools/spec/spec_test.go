package spec

import (
	"errors"
	"flag"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
)

var (
	seeds = flag.Int("spec.seeds", 300, "how many seeds TestSimulatorRefinesSpecification runs")
	only  = flag.String("spec.only", "", "explain these options only, as a failure prints them")
)

// unexplainable are the faults that the specification does not know: its disks keep what they
// have.
const unexplainable = sim.LostLog | sim.NewVolume

func options(seed uint64) sim.Options {
	o := sim.OptionsFor(seed)
	o.Faults &^= unexplainable
	return o
}

// published are the specification's actions.
var published = strings.Fields(`Restart Timeout RequestVote BecomeLeader ClientRequest AppendEntries AdvanceCommitIndex
	HandleRequestVoteRequest HandleRequestVoteResponse RejectAppendEntriesRequest ReturnToFollowerState
	AppendEntriesAlreadyDone ConflictAppendEntriesRequest NoConflictAppendEntriesRequest HandleAppendEntriesResponse
	UpdateTerm DropStaleResponse DuplicateMessage DropMessage`)

// TestSimulatorRefinesSpecification explains every step of many runs, and wants each action
// to have explained something.
func TestSimulatorRefinesSpecification(t *testing.T) {
	if *only != "" {
		o, err := sim.ParseOptions(*only)
		if err != nil {
			t.Fatal(err)
		}
		explainAll(t, []sim.Options{o})
		return
	}
	runs := make([]sim.Options, *seeds)
	for n := range runs {
		runs[n] = options(uint64(n) + 1)
	}
	total := explainAll(t, runs)
	t.Logf("%d runs: %v", len(runs), total)
	for _, action := range append(published, "ChangeConfiguration", "InstallSnapshot") {
		if total[action] == 0 && len(runs) >= 100 && !t.Failed() {
			t.Errorf("%s never explained anything", action)
		}
	}
}

// explainAll runs simulations on all processors until one fails, and counts the actions.
func explainAll(t *testing.T, runs []sim.Options) map[string]int {
	t.Helper()
	var (
		next    atomic.Int64
		mu      sync.Mutex
		workers sync.WaitGroup
		total   = map[string]int{}
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(runs)); n = next.Add(1) - 1 {
				c := New()
				_, err := sim.RunObserved(runs[n], c.Observe)
				mu.Lock()
				for action, times := range c.Actions() {
					total[action] += times
				}
				mu.Unlock()
				if err != nil && report(t, err) {
					next.Store(int64(len(runs)))
				}
			}
		})
	}
	workers.Wait()
	return total
}

// report fails the test, unless it is a property of the simulator that is broken: its own
// test looks after those.
func report(t *testing.T, err error) bool {
	t.Helper()
	var f *sim.Failure
	if !errors.As(err, &f) {
		t.Error(err)
		return true
	}
	if f.Property != sim.Observed {
		t.Logf("%s is broken in %q: that is for TestSimulation", f.Property, f.Options.String())
		return false
	}
	t.Errorf("step %d: %s\nsee it again by go test -run %s -spec.only %q\nlast events:\n  %s",
		f.Step, f.Detail, t.Name(), f.Options.String(), strings.Join(f.Trace, "\n  "))
	return true
}
