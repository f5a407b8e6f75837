package kv

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// pebbleOptions are chosen for many small heads that are read at each put, and for
// records that are written once in ascending order. Pebble takes the memtables'
// memory from the cache's.
func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.options.FS,
		DisableWAL:                  true, // the Raft log is the log
		CacheSize:                   s.options.CacheBytes + 2*int64(s.options.MemTableBytes),
		MemTableSize:                s.options.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		FormatMajorVersion:          pebble.FormatNewest,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
		Logger:                      pebbleLogger{s},
	}
	o.Experimental.SpanPolicyFunc = splitSpaces
	o.Experimental.ValueSeparationPolicy = separateValues
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 8 << 10
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.UniformDBCompressionSettings(block.FastestCompression)
	})
	o.EventListener = &pebble.EventListener{BackgroundError: func(err error) {
		s.options.Logger.Error("the store's LSM tree failed in the background and tries again", slog.Any("error", err))
	}}
	return o
}

// splitSpaces keeps heads and records in files of their own. Heads are read at each
// put, so they stay in their tables; records may go into blob files.
func splitSpaces(start []byte) (pebble.SpanPolicy, []byte, error) {
	if len(start) == 0 || start[0] < spaceRecord {
		return pebble.SpanPolicy{
			PreferFastCompression: true,
			ValueStoragePolicy:    pebble.ValueStorageLowReadLatency,
		}, []byte{spaceRecord}, nil
	}
	return pebble.SpanPolicy{PreferFastCompression: true, DisableValueSeparationBySuffix: true}, nil, nil
}

// separateValues writes records of some size into blob files when they are flushed:
// what compactions of the LSM tree rewrite are references. That saves two thirds of
// the bytes that a put writes.
func separateValues() pebble.ValueSeparationPolicy {
	return pebble.ValueSeparationPolicy{
		Enabled:               true,
		MinimumSize:           128,
		MaxBlobReferenceDepth: 10,
		RewriteMinimumAge:     time.Minute,
		TargetGarbageRatio:    0.3,
	}
}

// pebbleLogger hands on what pebble says. Fatalf must not return: it keeps the
// calling goroutine for ever, so that the process lives on, fenced.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.options.Logger.Error(fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.s.fault.hang(fmt.Errorf("kv: the LSM tree in %s cannot go on: %s", l.s.options.DataDir, fmt.Sprintf(format, args...)))
	select {}
}

// faultCell holds the first fault. It is asked at every read, so that costs a load.
type faultCell struct {
	report  func(error)
	err     atomic.Pointer[error]
	hanging atomic.Bool // a goroutine of the LSM tree is kept, with its locks
}

func (c *faultCell) set(err error) {
	if c.err.CompareAndSwap(nil, &err) && c.report != nil {
		c.report(err)
	}
}

func (c *faultCell) hang(err error) {
	c.hanging.Store(true)
	c.set(err)
}

func (c *faultCell) get() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}
