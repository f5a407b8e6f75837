package sim

import (
	"errors"
	"flag"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seeds = flag.Int("sim.seeds", 10_000, "how many seeds TestSimulation runs")
	first = flag.Uint64("sim.first", 1, "the first seed of TestSimulation")
	steps = flag.Int("sim.steps", 0, "steps with faults for each seed, 0: as the seed says")
	only  = flag.String("sim.only", "", "run these options only, as a failure prints them, with the whole trace")
)

// TestSimulation is the evidence for the replica's safety and liveness.
func TestSimulation(t *testing.T) {
	if *only != "" {
		t.Skip("-sim.only is set")
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 500)
	}
	runs := regressions(t)
	for i := range n {
		o := profiled(*first + uint64(i))
		if *steps > 0 {
			o.Steps = *steps
		}
		runs = append(runs, o)
	}
	began := time.Now()
	v, failure := simulate(t, runs)
	rate := float64(v.Runs) / time.Since(began).Seconds()
	t.Logf("%d runs, %.0f a second\n%v", v.Runs, rate, &v)
	if failure != nil {
		t.Fatal(Shrink(failure))
	}
	if missing := v.Missing(); n >= 500 && len(missing) > 0 {
		t.Errorf("never reached: %s", strings.Join(missing, ", "))
	}
}

// TestOnly runs one set of options and prints all that happens.
func TestOnly(t *testing.T) {
	if *only == "" {
		t.Skip("-sim.only is not set")
	}
	o, err := ParseOptions(*only)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.WriteTrace(os.Stdout)
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
}

// simulate runs everything on all processors. It stops soon after a failure.
func simulate(t *testing.T, runs []Options) (Coverage, *Failure) {
	t.Helper()
	var (
		next    atomic.Int64
		mu      sync.Mutex
		total   Coverage
		failure *Failure
		workers sync.WaitGroup
	)
	report := progress(t, &next, len(runs))
	defer report()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(runs)); i = next.Add(1) - 1 {
				r, err := Run(runs[i])
				mu.Lock()
				total.Add(r.Coverage)
				total.Runs++
				var f *Failure
				if errors.As(err, &f) {
					failure = f
					next.Store(int64(len(runs)))
				} else if err != nil {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return total, failure
}

// progress tells how far the runs are, every ten seconds.
func progress(t *testing.T, next *atomic.Int64, of int) (stop func()) {
	if !testing.Verbose() {
		return func() {}
	}
	began, done, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				n := min(next.Load(), int64(of))
				t.Logf("%d of %d runs, %.0f a second", n, of, float64(n)/time.Since(began).Seconds())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

// regressions reads testdata/seeds.txt.
func regressions(t *testing.T) []Options {
	t.Helper()
	text, err := os.ReadFile("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []Options
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		o, err := ParseOptions(line)
		if err != nil {
			t.Fatalf("testdata/seeds.txt: %q: %v", line, err)
		}
		all = append(all, o)
	}
	return all
}
