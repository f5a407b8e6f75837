package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// library is a group of three members of one Raft library in this process.
type library interface {
	// propose returns when the leader has applied the payload.
	propose(payload []byte) error
	close()
}

// point is one measurement: so many proposals of so many bytes in flight.
type point struct {
	inFlight int
	bytes    int
}

// figures is what a measurement gave.
type figures struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       float64 // seconds of CPU for 10,000 proposals, all members and the load
	allocs    float64 // allocations for each proposal, all members and the load
}

// measure runs the load for the given time after a warm-up of a fifth of it.
func measure(l library, p point, d time.Duration) (figures, error) {
	if _, _, err := run(l, p, d/5); err != nil {
		return figures{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	latencies, took, err := run(l, p, d)
	if err != nil {
		return figures{}, err
	}
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	slices.Sort(latencies)
	n := float64(len(latencies))
	return figures{
		perSecond: n / took.Seconds(),
		p50:       latencies[len(latencies)/2],
		p99:       latencies[len(latencies)*99/100],
		cpu:       cpu.Seconds() / n * 10_000,
		allocs:    float64(after.Mallocs-before.Mallocs) / n,
	}, nil
}

// run keeps p.inFlight proposals in flight for the time d and gives their latencies.
func run(l library, p point, d time.Duration) ([]time.Duration, time.Duration, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	all := make([][]time.Duration, p.inFlight)
	start := time.Now()
	for i := range p.inFlight {
		wg.Go(func() {
			payload := make([]byte, p.bytes)
			for j := range payload {
				payload[j] = byte(i + j)
			}
			all[i] = make([]time.Duration, 0, 4096)
			for t := time.Now(); t.Sub(start) < d && failed.Load() == nil; {
				if err := l.propose(payload); err != nil {
					failed.Store(&err)
					return
				}
				now := time.Now()
				all[i] = append(all[i], now.Sub(t))
				t = now
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if err := failed.Load(); err != nil {
		return nil, 0, fmt.Errorf("a proposal failed: %w", *err)
	}
	return slices.Concat(all...), took, nil
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r) //nolint:errcheck // it cannot fail for the own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// median gives the run with the median rate.
func median(fs []figures) figures {
	s := slices.Clone(fs)
	slices.SortFunc(s, func(a, b figures) int { return int(a.perSecond - b.perSecond) })
	return s[len(s)/2]
}
