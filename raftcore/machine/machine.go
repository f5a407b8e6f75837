package machine

import (
	"errors"
	"io"

	"github.com/quorate/quorate/raftcore/protocol"
)

// ErrNewer is what an error of a state machine wraps that meets a command, a snapshot or a store
// which a newer version of it has written. Nothing is broken then: the host tells ConfigInvalid,
// which the right version mends, and not ApplyFailed.
var ErrNewer = errors.New("written by a newer version: install that one")

// Command is one committed command, as the state machine sees it.
type Command struct {
	Index   protocol.Index
	Term    protocol.Term
	Payload []byte // as it was proposed; must not be changed or kept beyond Apply

	// Discard tells that nobody waits for the result on this member: Apply may leave
	// it zero, and need not build it. The state must not depend on it.
	Discard bool
}

// Result is what the client gets. It is delivered only on the member where the
// client waits, in memory, so it may hold any Go value. Err is a
// refusal by the state machine's own rules ("key not found"), equal on all members;
// it is not a fault.
type Result struct {
	Value any
	Err   error
}

// StateMachine is what a group replicates.
//
// The host calls Apply, Restore and Close from one goroutine at a time. Snapshot is
// called between two calls of Apply, by the same goroutine; the Snapshot it gives
// is written by another one, while Apply goes on.
type StateMachine interface {
	// Apply applies the commands in order and puts the result of commands[i] into
	// results[i]; both slices have the same length and belong to the host. An error
	// means that the state machine cannot go on (its disk failed, its state is
	// broken): the host stops with the fault ApplyFailed and applies nothing more.
	Apply(commands []Command, results []Result) error

	// Snapshot freezes the present state and returns at once.
	Snapshot() (Snapshot, error)

	// Restore replaces the whole state by the snapshot that r holds, which has all
	// commands up to and including last. It reads to the end of r. After an
	// error the state is undefined, and the host stops.
	Restore(last protocol.EntryID, r io.Reader) error

	// Close releases what the state machine holds. No method is called after it.
	Close() error
}

// Snapshot is a frozen state.
type Snapshot interface {
	// WriteTo writes the state in the form that Restore reads.
	io.WriterTo
	// Close releases what the frozen state holds. It is called exactly once.
	Close() error
}

// Durable is implemented by state machines that keep their state in files of their
// own. The Raft log is their write-ahead log: they need not sync at each Apply.
type Durable interface {
	StateMachine

	// Applied gives the last entry whose effect is in the state after the state
	// machine was opened; the zero value for an empty state. The host applies from
	// the next entry on.
	Applied() protocol.EntryID

	// Sync makes everything applied so far durable and gives its last entry. The
	// host then may drop the log up to there. It runs beside Apply: what it keeps must be
	// the state as of the entry that it gives, and not a part of what is applied at the
	// moment, which would be applied once more after a restart.
	Sync() (protocol.EntryID, error)
}

// ResultCodec is implemented by state machines that take commands in client sessions: the
// group keeps the first result of a command, to answer duplicates of it with the same. Commands
// in sessions never have Discard set.
type ResultCodec interface {
	// EncodeResult gives the bytes that are kept. They are a function of the result, so that
	// all members keep the same; they must not be changed afterwards. An error means that the
	// state machine cannot go on, as in Apply.
	EncodeResult(Result) ([]byte, error)

	// DecodeResult gives what a client gets who sent a command again. It may be called
	// beside any other method.
	DecodeResult([]byte) (Result, error)
}

// Keeper is implemented by a Durable state machine that takes commands in client sessions:
// it keeps records of the host's, which say what was executed and how it was answered, and
// they must not come apart from the effects. They are part of the state: Snapshot has them,
// and Restore replaces them.
type Keeper interface {
	Durable
	ResultCodec

	// ApplyAndKeep does what Apply does. There may be no commands. When all results are
	// there it calls keep once, and makes the records part of the state together with the
	// commands' effects: after a crash there is all of it or nothing.
	ApplyAndKeep(commands []Command, results []Result, keep func() ([]Record, error)) error

	// Kept calls f for every record, in any order, until f gives an error. f may keep the bytes.
	Kept(f func(Record) error) error
}

// Record is something that a Keeper keeps for the host. A nil Value removes the record with
// the key. The bytes are not changed afterwards.
type Record struct {
	Key, Value []byte
}

// AppliedTo may be implemented by a state machine that wants to know the index of
// entries that are not commands (new terms, memberships), so that the applied
// index it stores has no gaps.
type AppliedTo interface {
	// AppliedTo tells that every entry up to and including id is done. It is called
	// from the goroutine that calls Apply.
	AppliedTo(id protocol.EntryID)
}
