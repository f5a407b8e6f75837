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
// here needs them any more. A disk that rots is told of all the same.
func dropDamage(o *Options, applied protocol.Index) error {
	covered := protocol.Index(0)
	for _, id := range o.Log.Damaged() {
		if id.Index <= applied {
			covered = id.Index
		}
	}
	if covered == 0 {
		return nil
	}
	_, cause := o.Log.Read(covered, covered, 1)
	before := len(o.Log.Damaged())
	if err := o.Log.Compact(covered); err != nil {
		return err
	}
	if dropped := before - len(o.Log.Damaged()); dropped > 0 {
		o.overcome(fault.New(fault.LogCorrupt, time.Now(), cause,
			"%d records of the log are damaged; the state has applied them, and the log forgets what is up to entry %d", dropped, covered))
	}
	return nil
}

// overcome reports a fault that is over already.
func (o *Options) overcome(f *fault.Fault) {
	o.Logger.Error(f, "this member goes on without what was damaged", "fault", f.Kind)
	if o.Faults != nil {
		o.Faults.Note(f)
		o.Faults.Recovered(f.Kind, time.Now())
	}
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
	o.overcome(fault.New(fault.SnapshotCorrupt, time.Now(), cause, "the newest snapshot is damaged and was removed, the log gives the same state"))
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
