package fault

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kind classifies a fault. The strings appear in /statusz, in conditions and in
// the faults file: they never change.
type Kind string

// The kinds of faults.
const (
	LogCorrupt       Kind = "LogCorrupt"       // a log record is damaged, valid ones follow it
	SnapshotCorrupt  Kind = "SnapshotCorrupt"  // a snapshot's checksum does not hold
	MetaCorrupt      Kind = "MetaCorrupt"      // identity, or both vote slots, cannot be trusted
	IdentityMismatch Kind = "IdentityMismatch" // the volume belongs to another cluster or member
	FsyncFailed      Kind = "FsyncFailed"      // the disk refused to write or to sync
	DiskFull         Kind = "DiskFull"         // no space left
	ApplyFailed      Kind = "ApplyFailed"      // the state machine cannot go on
	InvariantBroken  Kind = "InvariantBroken"  // Raft itself saw what must never be
	ConfigInvalid    Kind = "ConfigInvalid"    // the configuration cannot work
	TLSInvalid       Kind = "TLSInvalid"       // certificates cannot be read or do not fit
	VolumeLost       Kind = "VolumeLost"       // another volume is recorded for this member: this one has forgotten what that had
)

// Remedy is what helps against a fault.
type Remedy string

// The remedies.
const (
	Restart         Remedy = "Restart"         // a new process may be well again
	RepairFromPeers Remedy = "RepairFromPeers" // the peers have what is damaged here
	ReplaceMember   Remedy = "ReplaceMember"   // only a new member on a new volume helps
	FreeSpace       Remedy = "FreeSpace"       // it goes away when there is space
	Operator        Remedy = "Operator"        // a person must change something
)

var remedies = map[Kind]Remedy{
	LogCorrupt:       RepairFromPeers,
	SnapshotCorrupt:  RepairFromPeers,
	MetaCorrupt:      ReplaceMember,
	IdentityMismatch: Operator,
	FsyncFailed:      Restart,
	DiskFull:         FreeSpace,
	ApplyFailed:      Restart,
	InvariantBroken:  ReplaceMember,
	ConfigInvalid:    Operator,
	TLSInvalid:       Operator,
	VolumeLost:       ReplaceMember,
}

// Kinds gives every kind, in alphabetical order.
func Kinds() []Kind { return slices.Sorted(maps.Keys(remedies)) }

// Remedy gives what helps against faults of the kind; Operator for an unknown one.
func (k Kind) Remedy() Remedy {
	if r, ok := remedies[k]; ok {
		return r
	}
	return Operator
}

// Fault is one thing that broke. It is an error.
type Fault struct {
	Kind    Kind
	Message string    // what broke, where, with the numbers
	At      time.Time // when it was noticed, UTC
	Err     error     // cause, not persisted
}

// New makes a fault whose message is the cause's text after the formatted one.
func New(k Kind, at time.Time, cause error, format string, args ...any) *Fault {
	m := fmt.Sprintf(format, args...)
	if cause != nil {
		m += ": " + cause.Error()
	}
	return &Fault{Kind: k, Message: m, At: at.UTC(), Err: cause}
}

// Error implements error.
func (f *Fault) Error() string { return string(f.Kind) + ": " + f.Message }

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }
