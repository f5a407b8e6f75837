package filelog

import (
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Options are the settings of a data directory. The zero value is a good choice.
type Options struct {
	// ClusterID and MemberID, when set, must be those of the directory: otherwise
	// Open gives an *IdentityError.
	ClusterID string
	MemberID  protocol.MemberID

	// SegmentSize is the length of a log file in bytes: 16 MiB when zero, at least
	// 8 KiB and at most 1 GiB. An entry that is larger gets a file of its own size. The log takes
	// at least two of them, the one that is written and the one that is ready.
	SegmentSize int64
	// KeepFree is how many pre-written files wait for their next life, beside the one
	// that is always ready: 1 when zero.
	KeepFree int

	// Reserve is how many bytes a file holds that is given up when there is no space for the next
	// log file: none when zero.
	Reserve int64
	// LowWater is how many bytes must be free: with fewer, Room tells that the disk is full,
	// until there are HighWater again and Reserve is held. HighWater is LowWater and two log
	// files when zero.
	LowWater, HighWater uint64

	// Serializer encodes memberships in snapshots: codec.Msgpack when nil.
	Serializer codec.Serializer

	// OnFlush, when set, is called by the log's own goroutine after each write that
	// is durable, before the done functions. It must be quick.
	OnFlush func(Flush)
	// Warn, when set, is told about what was mended (a copy of the vote that was
	// damaged), or will be tried again (space for the next file). It may be called
	// from any goroutine.
	Warn func(error)

	// salt replaces newSalt in tests that need the same bytes each time.
	salt func() uint64
	// foreground lets the log's own goroutine prepare and recycle files, so that
	// all operations come in one order.
	foreground bool
	// bugs are deliberate, for tests of the tests.
	bugs mutation.Set
}

const (
	defaultSegmentSize = 16 << 20
	defaultKeepFree    = 4
	minSegmentSize     = 8 << 10
	maxSegmentSize     = 1 << 30 // offsets are kept in 32 bits, and an entry may reach beyond
)

func (o Options) withDefaults() Options {
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegmentSize
	}
	o.SegmentSize = min(max(o.SegmentSize, minSegmentSize), maxSegmentSize)
	if o.KeepFree == 0 {
		o.KeepFree = defaultKeepFree
	}
	if o.HighWater == 0 {
		o.HighWater = o.LowWater + 2*uint64(o.SegmentSize)
	}
	o.HighWater = max(o.HighWater, o.LowWater)
	if o.Serializer == nil {
		o.Serializer = codec.Msgpack{}
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.salt == nil {
		o.salt = newSalt
	}
	return o
}

// Flush tells about one write.
type Flush struct {
	Entries int
	Bytes   int
	Write   time.Duration // of the write itself
	Sync    time.Duration // of making it durable
}

// Stats are counters since the log was opened, and its present state.
type Stats struct {
	Flushes  uint64
	Entries  uint64
	Bytes    uint64
	LastSync time.Duration
	MaxSync  time.Duration

	Repaired uint64 // entries whose damaged records were written again

	Segments int // files that hold the log
	Free     int // pre-written files that wait
	// Ready tells that the next file is prepared. While it is not, PrepareErr tells
	// why when that has failed: with ENOSPC the log goes on until the present file
	// is full, and then waits for space.
	Ready      bool
	PrepareErr error
	Reserved   uint64 // bytes that the reserve file holds
	// Err is the error that the log has failed with, for good.
	Err error
}
