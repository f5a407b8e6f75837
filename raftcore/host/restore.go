package host

import (
	"errors"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// restore brings log and state machine together after a stop at any point:
//
//  1. a snapshot that is newer than the state machine's state is restored into it;
//  2. a log that does not hold the last applied entry, because it ends before it or has
//     another one there (a snapshot was being installed), is emptied, with that state as
//     its base (paper section 7);
//  3. a saved term that is older than that state is raised to the state's: the snapshot was
//     frozen in a term that this member had not heard of yet;
//  4. damaged entries that the state has applied are forgotten;
//  5. a log that begins after the state is damage: entries are missing.
//
// A damaged snapshot is removed before all this when the log makes up for it.
func restore(o *Options, s *state) (replica.Restore, error) {
	hard, err := o.Votes.Load()
	if err != nil {
		return replica.Restore{}, votesFault(err)
	}
	meta, ok, err := o.Snapshots.Latest()
	if err != nil {
		return replica.Restore{}, snapshotFault(err)
	}
	r := replica.Restore{Hard: hard, Membership: o.Membership}
	if d, durable := o.Machine.(machine.Durable); durable {
		r.Applied = d.Applied()
		if err := s.load(); err != nil {
			return replica.Restore{}, fault.New(fault.ApplyFailed, time.Now(), err, "opening the state machine")
		}
	}
	if ok && meta.Last.Index > r.Applied.Index {
		discarded, err := discardDamaged(o, meta.Last, r.Applied.Index)
		if err != nil {
			return replica.Restore{}, err
		}
		ok = !discarded
	}
	if ok {
		r.Membership, r.MembershipAt = meta.Membership, meta.Last.Index
	}
	if ok && meta.Last.Index > r.Applied.Index {
		if err := restoreSnapshot(s, o.Snapshots, meta.Last); err != nil {
			return replica.Restore{}, err
		}
		r.Applied = meta.Last
	}
	if r.Hard, err = raised(o.Votes, hard, r.Applied.Term); err != nil {
		return replica.Restore{}, err
	}
	r.Log = o.Log.State()
	if lacks(r.Log, r.Applied) {
		if err := resetLog(o, r, meta); err != nil {
			return replica.Restore{}, fault.New(fault.FsyncFailed, time.Now(), err, "emptying a log that ends at %d and does not hold the applied entry %d", r.Log.Last, r.Applied.Index)
		}
		r.Log = o.Log.State()
	}
	if err := dropDamage(o, r.Applied.Index); err != nil {
		return replica.Restore{}, fault.New(fault.FsyncFailed, time.Now(), err, "dropping damaged entries up to %d, which are applied", r.Applied.Index)
	}
	r.Log = o.Log.State()
	if r.Log.Base.Index > r.Applied.Index {
		return replica.Restore{}, fault.New(fault.LogCorrupt, time.Now(), nil,
			"the log begins after entry %d but the state machine has applied only up to %d: entries between them are missing", r.Log.Base.Index, r.Applied.Index)
	}
	return r, nil
}

// raised gives the HardState with at least the term, in which the member cannot have voted
// when its saved term is older. Where nothing is saved at all beside a state, term and
// vote are lost, and it is not known that it has not voted: package replica refuses that.
func raised(v storage.Votes, hard protocol.HardState, term protocol.Term) (protocol.HardState, error) {
	if hard.Term == 0 || hard.Term >= term {
		return hard, nil
	}
	hard = protocol.HardState{Term: term}
	if err := v.Save(hard); err != nil {
		return hard, fault.New(fault.FsyncFailed, time.Now(), err, "saving the term %d of the newest snapshot", term)
	}
	return hard, nil
}

// restoreSnapshot makes a stored snapshot the state.
func restoreSnapshot(to *state, s storage.Snapshots, last protocol.EntryID) error {
	f, meta, err := s.Open(last)
	if err != nil {
		return snapshotFault(err)
	}
	defer f.Close()
	if err := to.restore(meta.Last, f); err != nil {
		var damage *storage.DamageError
		if errors.As(err, &damage) {
			return snapshotFault(err)
		}
		return fault.New(MachineFault(err), time.Now(), err, "restoring the snapshot of entry %d", last.Index)
	}
	return nil
}

// lacks reports whether an entry that is not compacted away is not in the log.
func lacks(st protocol.LogState, id protocol.EntryID) bool {
	return id.Index > st.Last || id.Index >= st.Base.Index && termAt(st, id.Index) != id.Term
}

// resetLog empties the log, with the applied state as its base. The membership is that of
// the snapshot that this state came from; where there is none, what the log knows last.
func resetLog(o *Options, r replica.Restore, newest protocol.SnapshotMeta) error {
	members := newest.Membership
	if newest.Last != r.Applied {
		var err error
		if members, err = membershipAt(r, o.Serializer); err != nil {
			return err
		}
	}
	payload, err := codec.Memberships{Serializer: o.Serializer}.EncodeMembership(members)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	o.Log.Reset(r.Applied, payload, func(err error) { done <- err })
	return <-done
}

func votesFault(err error) error {
	if errors.Is(err, storage.ErrVotesDamaged) {
		return fault.New(fault.MetaCorrupt, time.Now(), err, "reading term and vote")
	}
	return fault.New(fault.FsyncFailed, time.Now(), err, "reading term and vote")
}

func snapshotFault(err error) error {
	var damage *storage.DamageError
	if errors.As(err, &damage) {
		return fault.New(fault.SnapshotCorrupt, time.Now(), err, "reading the newest snapshot")
	}
	return fault.New(fault.FsyncFailed, time.Now(), err, "reading the newest snapshot")
}
