package kv_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

const benchValue = 256

// bench applies puts of incompressible values to a store.
type bench struct {
	tb    testing.TB
	dir   string
	store *kv.Store
	rng   *rand.ChaCha8
	index int
	value []byte
}

func newBench(tb testing.TB) *bench {
	b := &bench{tb: tb, dir: tb.TempDir(), rng: rand.NewChaCha8([32]byte{1}), value: make([]byte, benchValue)}
	b.open()
	tb.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) open() {
	var err error
	if b.store, err = kv.Open(kv.Options{DataDir: b.dir}); err != nil {
		b.tb.Fatal(err)
	}
}

func benchKey(i int) []byte {
	return fmt.Appendf(nil, "/bench/keys/%016x", uint64(i)*0x9e3779b97f4a7c15)
}

// commands makes n puts of the keys that key gives.
func (b *bench) commands(n int, discard bool, key func() []byte) []machine.Command {
	cs := make([]machine.Command, n)
	for i := range cs {
		_, _ = b.rng.Read(b.value)
		payload, err := kv.Encode(&pb.PutRequest{Key: key(), Value: b.value})
		if err != nil {
			b.tb.Fatal(err)
		}
		b.index++
		cs[i] = machine.Command{Index: protocol.Index(b.index), Term: 1, Payload: payload, Discard: discard}
	}
	return cs
}

func (b *bench) fill(n int) {
	next := 0
	for next < n {
		cs := b.commands(min(256, n-next), true, func() []byte { next++; return benchKey(next - 1) })
		if err := b.store.Apply(cs, make([]machine.Result, len(cs))); err != nil {
			b.tb.Fatal(err)
		}
	}
}

// cpuTime is what the process has used of all processors. On a busy machine it says
// more than the clock.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkApplyPut is the time of one put in a batch, with what the LSM tree does in
// the background meanwhile; making the commands is not counted.
func BenchmarkApplyPut(b *testing.B) {
	for _, keys := range []int{1000, 200_000} {
		for _, size := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("keys=%d/batch=%d", keys, size), func(b *testing.B) { benchmarkApply(b, keys, size) })
		}
	}
}

func benchmarkApply(b *testing.B, keys, size int) {
	s := newBench(b)
	s.fill(keys)
	results := make([]machine.Result, size)
	var used time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		b.StopTimer()
		cs := s.commands(min(16<<10, b.N-n+size)/size*size, false, func() []byte { return benchKey(int(s.rng.Uint64() % uint64(keys))) })
		before := cpuTime(b)
		b.StartTimer()
		for ; len(cs) > 0; cs, n = cs[size:], n+size {
			if err := s.store.Apply(cs[:size], results); err != nil {
				b.Fatal(err)
			}
		}
		used += cpuTime(b) - before
	}
	b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
}

// BenchmarkRange reads one key, and ranges of about 49.
func BenchmarkRange(b *testing.B) {
	const keys = 200_000
	s := newBench(b)
	s.fill(keys)
	for _, x := range []struct {
		name   string
		prefix int // of the key that ends the range; 0: a single key
	}{{"point", 0}, {"prefix", len("/bench/keys/000")}} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			b.RunParallel(func(p *testing.PB) {
				i := 0
				for p.Next() {
					i += 7919
					r := &pb.RangeRequest{Key: benchKey(i % keys)}
					if x.prefix > 0 {
						r.Key = r.Key[:x.prefix]
						r.RangeEnd = append(bytes.Clone(r.Key[:x.prefix-1]), r.Key[x.prefix-1]+1)
					}
					if _, err := s.store.Range(r); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkRangeOld reads a key whose newest change is 100,000 changes later.
func BenchmarkRangeOld(b *testing.B) {
	s := newBench(b)
	for range 1000 {
		cs := s.commands(100, true, func() []byte { return []byte("leader") })
		if err := s.store.Apply(cs, make([]machine.Result, len(cs))); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.store.Range(&pb.RangeRequest{Key: []byte("leader"), Revision: 100}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillion fills a store with 1,000,000 keys of 256 bytes, and reports what that
// takes. Run it with -benchtime=1x.
func BenchmarkMillion(b *testing.B) {
	for range b.N {
		s := newBench(b)
		start := time.Now()
		s.fill(1_000_000)
		b.ReportMetric(1e6/time.Since(start).Seconds(), "puts/s")
		if _, err := s.store.Sync(); err != nil {
			b.Fatal(err)
		}
		s.report("filled")
		start = time.Now()
		snapshot, err := s.store.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		n, err := snapshot.WriteTo(io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("snapshot of %d MiB written in %v", n>>20, time.Since(start))
		if err := snapshot.Close(); err != nil {
			b.Fatal(err)
		}
		if err := s.store.Close(); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		s.open()
		b.Logf("opened in %v", time.Since(start))
		for i := range 200_000 {
			if _, err := s.store.Range(&pb.RangeRequest{Key: benchKey(i * 5)}); err != nil {
				b.Fatal(err)
			}
		}
		s.report("opened again and read")
	}
}

func (b *bench) report(when string) {
	runtime.GC()
	debug.FreeOSMemory()
	total, _ := b.store.Size()
	b.tb.Logf("%s: resident %s, files %d MiB", when, resident(), total>>20)
}

func resident() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			return string(bytes.Join(bytes.Fields([]byte(line)), []byte(" ")))
		}
	}
	return "unknown"
}
