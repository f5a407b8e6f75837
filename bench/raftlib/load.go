package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// library is a group of three members of one Raft library in this process.
type library interface {
	// propose returns when the leader has applied the payload.
	propose(payload []byte) error
	// read returns when a read of the leader's state would be linearizable.
	read() error
	// flushes gives how often the members' logs have asked the disk for durability.
	flushes() uint64
	close()
}

// point is one measurement: so many operations in flight. Bytes are those of a proposal;
// 0 means linearizable reads.
type point struct {
	InFlight int
	Bytes    int
}

// figures is what a measurement gave.
type figures struct {
	PerSecond float64
	P50, P99  float64 // milliseconds
	CPU       float64 // seconds of this process for 10,000 operations, all members and the load
	Allocs    float64 // for each operation, all members and the load
	Flushes   float64 // for each operation, all members
	DiskBytes float64 // for each operation, all members; what the device was given to write
}

// counters are what grows while a process works.
type counters struct {
	cpu       time.Duration
	mallocs   uint64
	flushes   uint64
	diskBytes uint64
}

func count(l library, dir string) counters {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return counters{cpu: cpuTime(), mallocs: m.Mallocs, flushes: l.flushes(), diskBytes: writtenBytes(dir)}
}

// measure runs the load for the given time after a warm-up of a fifth of it.
func measure(l library, dir string, p point, d time.Duration) (figures, error) {
	if _, _, err := run(l, p, d/5); err != nil {
		return figures{}, err
	}
	runtime.GC()
	before := count(l, dir)
	latencies, took, err := run(l, p, d)
	if err != nil {
		return figures{}, err
	}
	after := count(l, dir)
	slices.Sort(latencies)
	n := float64(len(latencies))
	return figures{
		PerSecond: n / took.Seconds(),
		P50:       ms(latencies[len(latencies)/2]),
		P99:       ms(latencies[len(latencies)*99/100]),
		CPU:       (after.cpu - before.cpu).Seconds() / n * 10_000,
		Allocs:    float64(after.mallocs-before.mallocs) / n,
		Flushes:   float64(after.flushes-before.flushes) / n,
		DiskBytes: float64(after.diskBytes-before.diskBytes) / n,
	}, nil
}

// run keeps p.InFlight operations in flight for the time d and gives their latencies.
func run(l library, p point, d time.Duration) ([]time.Duration, time.Duration, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	all := make([][]time.Duration, p.InFlight)
	start := time.Now()
	for i := range p.InFlight {
		wg.Go(func() {
			payload := make([]byte, p.Bytes)
			for j := range payload {
				payload[j] = byte(i + j)
			}
			all[i] = make([]time.Duration, 0, 4096)
			for t := time.Now(); t.Sub(start) < d && failed.Load() == nil; {
				if err := once(l, payload); err != nil {
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
		return nil, 0, fmt.Errorf("an operation failed: %w", *err)
	}
	return slices.Concat(all...), took, nil
}

func once(l library, payload []byte) error {
	if len(payload) == 0 {
		return l.read()
	}
	return l.propose(payload)
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r) //nolint:errcheck // it cannot fail for the own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// writtenBytes gives what the device that holds dir was given to write since it is up, by
// whomever, the file system's journal included; 0 where that is not known. What the
// kernel counts for the process itself is of no use: it takes a write of a few bytes for one
// of the whole folio in the page cache, up to 2 MiB.
func writtenBytes(dir string) uint64 {
	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil {
		return 0
	}
	major, minor := st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00
	line, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", major, minor))
	if err != nil {
		return 0
	}
	const sectorsWritten, sector = 6, 512
	fields := strings.Fields(string(line))
	if len(fields) <= sectorsWritten {
		return 0
	}
	n, _ := strconv.ParseUint(fields[sectorsWritten], 10, 64) //nolint:errcheck // 0 then
	return n * sector
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
