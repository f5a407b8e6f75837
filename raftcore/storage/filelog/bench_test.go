package filelog_test

import (
	"fmt"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/vfs"
)

// The figures that matter: one entry and its sync against the disk's own floor, and
// what an entry costs in a batch. In the long run the files are recycled, as here.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{128, 4096} {
		for _, batch := range []int{1, 64} {
			b.Run(fmt.Sprintf("%dB/batch%d", size, batch), func(b *testing.B) { benchmarkAppend(b, size, batch) })
		}
	}
}

// BenchmarkFloor is the least that a durable append can cost: one write over space that
// was written before, and one sync.
func BenchmarkFloor(b *testing.B) {
	for _, size := range []int{160, 4128, 64 * 160, 64 * 4128} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			f, err := vfs.OS{}.Create(b.TempDir() + "/floor")
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			const space = 16 << 20
			if err := vfs.Zero(f, 0, space); err != nil {
				b.Fatal(err)
			}
			buf, at := make([]byte, size), int64(0)
			for b.Loop() {
				if at+int64(size) > space {
					at = 0
				}
				if _, err := f.WriteAt(buf, at); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				at += int64(size)
			}
		})
	}
}

func benchmarkAppend(b *testing.B, size, batch int) {
	s, _ := benchStore(b)
	payload := make([]byte, size)
	entries := make([]protocol.Entry, batch)
	done := make(chan error, 1)
	report := func(err error) { done <- err }
	var last protocol.Index
	b.ReportAllocs()
	for b.Loop() {
		for i := range entries {
			last++
			entries[i] = protocol.Entry{Index: last, Term: 1, Kind: protocol.EntryCommand, Payload: payload}
		}
		s.Log.Append(entries, report)
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if last%8192 < protocol.Index(batch) && last > 8192 {
			if err := s.Log.Compact(last - 4096); err != nil {
				b.Fatal(err)
			}
		}
	}
	st := s.Log.Stats()
	b.ReportMetric(float64(st.Bytes)/float64(last), "diskB/entry")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(last), "us/entry")
}

// benchStore gives a store on a new disk, and its folder.
func benchStore(b *testing.B) (s *filelog.Store, dir string) {
	dir = b.TempDir() + "/data"
	if err := filelog.Format(vfs.OS{}, dir, identity, filelog.Options{}); err != nil {
		b.Fatal(err)
	}
	s, err := filelog.Open(vfs.OS{}, dir, filelog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s, dir
}

// Without compaction every file is a new one that has to be written with zeros first.
func BenchmarkOpen(b *testing.B) {
	s, dir := benchStore(b)
	const n, batch = 256 << 10, 1024
	entries := make([]protocol.Entry, batch)
	done := make(chan error, 1)
	for i := range protocol.Index(n / batch) {
		for j := range entries {
			entries[j] = protocol.Entry{Index: i*batch + protocol.Index(j) + 1, Term: 1, Kind: protocol.EntryCommand, Payload: make([]byte, 128)}
		}
		s.Log.Append(entries, func(err error) { done <- err })
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	for b.Loop() {
		s, err := filelog.Open(vfs.OS{}, dir, filelog.Options{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(n/(b.Elapsed().Seconds()/float64(b.N)), "entries/s")
}

func BenchmarkRead(b *testing.B) {
	s, _ := benchStore(b)
	entries := make([]protocol.Entry, 4096)
	for i := range entries {
		entries[i] = protocol.Entry{Index: protocol.Index(i) + 1, Term: 1, Kind: protocol.EntryCommand, Payload: make([]byte, 128)}
	}
	done := make(chan error, 1)
	s.Log.Append(entries, func(err error) { done <- err })
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		es, err := s.Log.Read(1000, 4000, 64*(128+32))
		if err != nil || len(es) != 64 {
			b.Fatal(len(es), err)
		}
	}
}
