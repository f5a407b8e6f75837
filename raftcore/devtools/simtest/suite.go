package simtest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/devtools/sim"
)

var (
	seeds    = flag.Int("sim.seeds", 0, "how many seeds, 0: as many as the test says")
	first    = flag.Uint64("sim.first", 1, "the first seed")
	only     = flag.String("sim.only", "", "one run only, with every event: options as a failure prints them")
	failures = flag.Int("sim.failures", 1, "stop after so many failures")
	record   = flag.String("sim.record", "", "append the shrunk failures to this file of regressions")
)

// Suite is what a test simulates.
type Suite struct {
	// Seeds is how many are run; with -short a twentieth of them.
	Seeds int
	// Options draws the options of a seed. Nil: sim.Profiled.
	Options func(seed uint64) sim.Options
	// Regressions are run before the seeds.
	Regressions []sim.Options
	// Coverage may find that the runs together did not reach what they should have. It is
	// asked only when all seeds were run.
	Coverage func(sim.Coverage) []string
}

// Run simulates so many seeds and fails the test when a property is broken. The options'
// function says what is run: it begins with sim.OptionsFor and sets the Workload.
func Run(t *testing.T, seeds int, options func(seed uint64) sim.Options) {
	t.Helper()
	Suite{Seeds: seeds, Options: options}.Run(t)
}

// Workload simulates so many seeds of clusters that replicate a state machine of your own.
func Workload(t *testing.T, seeds int, w *sim.Workload) {
	t.Helper()
	Run(t, seeds, func(seed uint64) sim.Options {
		o := sim.OptionsFor(seed)
		o.Workload = w
		return o
	})
}

// Run simulates the suite.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	if s.Options == nil {
		s.Options = sim.Profiled
	}
	if *only != "" {
		s.runOnly(t)
		return
	}
	n := s.Seeds
	if testing.Short() {
		n = max(1, n/20)
	}
	n = cmp.Or(*seeds, n)
	r := newRunner(t, s, n)
	r.run()
	t.Logf("%s\n%v", r.summary(), &r.coverage)
	for _, f := range r.failures {
		s.report(t, f)
	}
	if missing := r.missing(); len(missing) > 0 {
		t.Errorf("never reached: %s", strings.Join(missing, ", "))
	}
}

// runOnly runs the options of -sim.only and prints all that happens.
func (s Suite) runOnly(t *testing.T) {
	t.Helper()
	o, err := sim.ParseOptions(*only)
	if err != nil {
		t.Fatal(err)
	}
	o.Workload = s.Options(o.Seed).Workload
	c, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.WriteTrace(os.Stdout)
	if err := c.Finish(); err != nil {
		t.Fatal(err)
	}
}

// report shrinks a failure and tells of it.
func (s Suite) report(t *testing.T, found *sim.Failure) {
	t.Helper()
	f := sim.Shrink(found)
	t.Errorf("seed %d: %v\nfound with %q\nsee it again:\n  go test -run '^%s$' . -sim.only %q",
		found.Options.Seed, f, found.Options.String(), strings.ReplaceAll(t.Name(), "/", "$/^"), f.Options.String())
	if *record != "" {
		if err := remember(*record, f); err != nil {
			t.Error(err)
		}
	}
}

// remember appends a failure to a file of regressions, unless it is there already.
func remember(file string, f *sim.Failure) error {
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	line := f.Options.String()
	if slices.Contains(strings.Split(string(text), "\n"), line) {
		return nil
	}
	detail, _, _ := strings.Cut(f.Detail, "\n")
	text = fmt.Appendf(text, "# %s: %.200s\n%s\n", f.Property, detail, line)
	return os.WriteFile(file, text, 0o644)
}

// Regressions reads a file of options, a line each as a failure prints them; # begins a
// comment.
func Regressions(t *testing.T, file string) []sim.Options {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []sim.Options
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		o, err := sim.ParseOptions(line)
		if err != nil {
			t.Fatalf("%s: %q: %v", file, line, err)
		}
		all = append(all, o)
	}
	return all
}
