package simtest

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/sim"
)

// progressEvery is how often a long test tells how far it is.
const progressEvery = 10 * time.Second

// gcPercent is what the garbage collector is set to: runs are small and make much garbage.
const gcPercent = 800

// runner lets all processors take the next run again and again.
type runner struct {
	t     *testing.T
	suite Suite
	of    int // runs
	began time.Time

	mu       sync.Mutex
	next     int
	coverage sim.Coverage
	failures []*sim.Failure
}

func newRunner(t *testing.T, s Suite, seeds int) *runner {
	return &runner{t: t, suite: s, of: len(s.Regressions) + seeds, began: time.Now()}
}

func (r *runner) run() {
	stop := r.tellProgress()
	defer stop()
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(r.work)
	}
	workers.Wait()
}

func (r *runner) work() {
	for {
		o, ok := r.take()
		if !ok {
			return
		}
		result, err := sim.Run(o)
		r.done(result, err)
	}
}

// take gives the options of the next run.
func (r *runner) take() (sim.Options, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next >= r.of || len(r.failures) >= *failures {
		return sim.Options{}, false
	}
	i := r.next
	r.next++
	if n := len(r.suite.Regressions); i >= n {
		return r.suite.Options(*first + uint64(i-n)), true
	}
	return r.suite.Regressions[i], true
}

func (r *runner) done(result sim.Result, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.coverage.Add(result.Coverage)
	r.coverage.Runs++
	var f *sim.Failure
	if errors.As(err, &f) {
		r.failures = append(r.failures, f)
	} else if err != nil {
		r.t.Error(err)
	}
}

// missing asks the suite what was not reached, when everything was run.
func (r *runner) missing() []string {
	if r.suite.Coverage == nil || r.coverage.Runs < r.of || r.of < r.suite.Seeds {
		return nil
	}
	return r.suite.Coverage(r.coverage)
}

func (r *runner) summary() string {
	took := time.Since(r.began)
	return fmt.Sprintf("%d runs in %v, %.0f a second, %d failures", r.coverage.Runs, took.Round(time.Second/10), float64(r.coverage.Runs)/took.Seconds(), len(r.failures))
}

// tellProgress logs a line now and then, when the test is verbose.
func (r *runner) tellProgress() (stop func()) {
	if !testing.Verbose() {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.t.Log(r.progress())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (r *runner) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.coverage.Runs
	rate := float64(n) / time.Since(r.began).Seconds()
	left := time.Duration(float64(r.of-n) / max(rate, 1e-9) * float64(time.Second))
	return fmt.Sprintf("%d of %d runs, %.0f a second, %d failures, %v left", n, r.of, rate, len(r.failures), left.Round(time.Second))
}
