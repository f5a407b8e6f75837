package host

import (
	"errors"
	"io"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// dropDamage lets the log forget damaged entries that the durable state has applied: nobody
// here needs them any more.
func dropDamage(l storage.Log, applied protocol.Index) error {
	covered := protocol.Index(0)
	for _, id := range l.Damaged() {
		if id.Index <= applied {
			covered = id.Index
		}
	}
	if covered == 0 {
		return nil
	}
	return l.Compact(covered)
}

// discardDamaged removes the newest snapshot when it is damaged and nobody needs it: the log
// still has every entry after what the state machine has applied, so it gives the same
// state. It reports whether it did. What the log does not reach back to is left to be
// met, and to fence the member.
func discardDamaged(o *Options, last protocol.EntryID, applied protocol.Index) (bool, error) {
	if o.Log.State().Base.Index > applied {
		return false, nil
	}
	cause := verifySnapshot(o.Snapshots, last)
	var damage *storage.DamageError
	if !errors.As(cause, &damage) {
		return false, nil
	}
	if err := o.Snapshots.Keep(0); err != nil {
		return false, fault.New(fault.FsyncFailed, time.Now(), err, "removing a damaged snapshot")
	}
	f := fault.New(fault.SnapshotCorrupt, time.Now(), cause, "the newest snapshot is damaged and was removed, the log gives the same state")
	o.Logger.Error(f, "a damaged snapshot was removed")
	if o.Faults != nil {
		o.Faults.Note(f)
		o.Faults.Recovered(f.Kind, time.Now())
	}
	return true, nil
}

// verifySnapshot reads a snapshot to its end.
func verifySnapshot(s storage.Snapshots, last protocol.EntryID) error {
	f, _, err := s.Open(last)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}
