//go:build linux

package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// every is how often a long step says that it is alive.
const every = 15 * time.Second

// progress prints lines that begin with the seconds since it was made.
type progress struct {
	start time.Time
	mu    sync.Mutex
	out   io.Writer
}

func newProgress(out io.Writer) *progress { return &progress{start: time.Now(), out: out} }

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "[%3.0fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// long announces a step, repeats that it goes on with what detail says, and returns
// the function that ends it.
func (p *progress) long(what string, detail func() string) (end func()) {
	p.say("%s", what)
	begin, done := time.Now(), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.say("  still at it%s", detail())
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
		p.say("  done in %.1fs", time.Since(begin).Seconds())
	}
}

// retry calls f until it succeeds or the time is over, and returns f's last error. It is for what other
// processes bring about without telling anybody.
func retry(limit time.Duration, f func() error) error {
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}
