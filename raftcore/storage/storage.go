package storage

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Log is a durable sequence of entries. Append, Reset, Compact and Close are called
// from one goroutine; Read, State, Damaged and Repair may be called from any.
type Log interface {
	// State gives what the log holds, writes that are still queued included.
	State() protocol.LogState

	// Append queues entries, which are contiguous and not empty, to be inserted at
	// entries[0].Index: what the log has at that index and after it is cut off.
	// The index must be in (Base.Index, Last+1]. It returns at once. done is called
	// exactly once, from the log's own goroutine and in the order of the queue,
	// with nil when the entries are durable. After the first error each later done
	// gets an error as well.
	Append(entries []protocol.Entry, done func(error))

	// Read gives entries from lo up to and including hi, as many as fit into maxBytes
	// (counted by Entry.Size) but at least one, and none at or after a damaged one.
	// Entries that are still queued are given too. It gives ErrCompacted when lo <=
	// Base.Index, ErrUnavailable when hi > Last, and a *DamageError when the record of lo is
	// damaged.
	Read(lo, hi protocol.Index, maxBytes int) ([]protocol.Entry, error)

	// Damaged gives, ascending, the entries whose records are known to be damaged: when
	// the log was opened, or since a Read met them. Such an entry is still a part of the
	// log, its term and index count as ever, but Read cannot give it. It leaves the list
	// when it was repaired, cut off, or compacted away.
	Damaged() []protocol.EntryID

	// Repair queues the writing of a damaged entry as another member has it: an entry with the
	// same term and index is the same entry (paper section 5.3, Log Matching). done is
	// called once, with nil when the entry was taken. It is durable, and was read back,
	// when Damaged does not name it any more: where one damaged place held several
	// entries, that is when all of them are there. A *RepairError tells that the entry was
	// not taken and the log stays as it was; any other error is as with Append.
	Repair(entry protocol.Entry, done func(error))

	// Compact lets the log forget entries up to and including upTo; it may keep
	// some of them. Base moves to upTo at once for State and Read. The last
	// Configuration entry among them becomes State's Configuration, which is durable
	// whenever the base is.
	Compact(upTo protocol.Index) error

	// Reset queues the replacement of the whole log by an empty one with the given
	// base, as after the installation of a snapshot. configuration is the payload of
	// the last Configuration entry at or before base, nil when there is none.
	Reset(base protocol.EntryID, configuration []byte, done func(error))

	// Close finishes the queue, then releases all files.
	Close() error
}

// Space is implemented by a Log that knows how full its disk is. It goes on while the disk is
// full: what it cannot write it holds back, and writes it when there is space.
type Space interface {
	// Room asks the disk. It may be called from any goroutine, and waits for a disk that
	// hangs.
	Room() (Room, error)
}

// Room tells how full a disk is, in bytes.
type Room struct {
	Path       string // a directory on it
	Used, Free uint64
	Reserved   uint64 // held by a file that is given up when the log can grow no other way
	Full       bool   // from the low water mark on, until Free is Need again
	Need       uint64
	Waiting    bool // the log holds appends back: they are not durable until there is space
}

// Votes keeps the HardState.
type Votes interface {
	// Load gives the state that was saved last, or the zero value when none was.
	// It gives ErrVotesDamaged when no saved state can be trusted: then the member
	// must not vote.
	Load() (protocol.HardState, error)

	// Save makes the state durable before it returns.
	Save(protocol.HardState) error
}

// Snapshots keeps snapshots of the state machine.
type Snapshots interface {
	// Create starts a snapshot. Nothing of it is visible before Commit.
	Create(protocol.SnapshotMeta) (SnapshotWriter, error)

	// Latest gives the newest complete snapshot; ok is false when there is none.
	Latest() (meta protocol.SnapshotMeta, ok bool, err error)

	// Open reads the snapshot that ends in last. Damage is reported by Read as a
	// *DamageError, at the latest instead of io.EOF. The reader can seek, so that a
	// transfer may be resumed.
	Open(last protocol.EntryID) (io.ReadSeekCloser, protocol.SnapshotMeta, error)

	// Keep deletes every snapshot but the newest n.
	Keep(n int) error
}

// SnapshotWriter receives the state machine's data.
type SnapshotWriter interface {
	io.Writer
	// Commit makes the snapshot durable and visible. Meta.Size is set to what was
	// written.
	Commit() error
	// Abort forgets it. It does nothing after Commit.
	Abort() error
}

// The sentinels of this contract.
var (
	// ErrCompacted tells that the entry was dropped by Compact or Reset.
	ErrCompacted = errors.New("entry was compacted away")
	// ErrUnavailable tells that the log does not reach so far.
	ErrUnavailable = errors.New("entry is beyond the end of the log")
	// ErrVotesDamaged tells that no vote slot holds a valid state.
	ErrVotesDamaged = errors.New("no valid copy of term and vote is left")
	// ErrClosed tells that the storage was closed.
	ErrClosed = errors.New("storage is closed")
)

// NoSpace reports whether an error of the disk tells that there is no space, or no more for this
// user.
func NoSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// DamageError tells that stored bytes are not those that were written. It names the
// record as well as it can.
type DamageError struct {
	File   string
	Offset int64
	Index  protocol.Index // 0 when the record's header cannot be trusted
	Term   protocol.Term  // likewise
	Reason string
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%s at offset %d is damaged (index %d, term %d): %s", e.File, e.Offset, e.Index, e.Term, e.Reason)
}

// RepairError tells why an entry cannot take the place of a damaged record.
type RepairError struct {
	Entry  protocol.EntryID
	Reason string
}

// Error implements error.
func (e *RepairError) Error() string {
	return fmt.Sprintf("entry %d of term %d repairs nothing here: %s", e.Entry.Index, e.Entry.Term, e.Reason)
}
