package host

import (
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// snapshots takes snapshots, lets the log forget what they hold, and carries them
// between members. See snapshotsend.go and snapshotreceive.go for the transfer.
type snapshots struct {
	h    *Host
	stop chan struct{}

	busy       atomic.Bool    // one is being taken
	installing atomic.Int32   // that have arrived and whose base is not durable in the log yet
	taken      protocol.Index // the applier's: where the last one was begun

	files    chan struct{} // full while a snapshot is made for a transfer and opened, or removed
	sends    sends
	arriving chan protocol.Message
}

// arrivingChunks is how many chunks may wait to be written. A leader sends one at a time, so
// a second one is of another leader, or sent again.
const arrivingChunks = 2

func newSnapshots(h *Host, applied protocol.Index) *snapshots {
	return &snapshots{
		h: h, stop: make(chan struct{}), taken: applied, files: make(chan struct{}, 1),
		sends:    sends{transfers: make(map[protocol.MemberID]*transfer)},
		arriving: make(chan protocol.Message, arrivingChunks),
	}
}

// applied is called by the applier between two calls of Apply. It begins a snapshot
// when enough has been applied since the last one, but none while the log is damaged: the base
// would pass a Configuration that nobody here knows.
func (s *snapshots) applied(id protocol.EntryID) {
	if uint64(id.Index-s.taken) < s.h.opts.SnapshotEntries || s.h.mending.ongoing.Load() || !s.busy.CompareAndSwap(false, true) {
		return
	}
	s.taken = id.Index
	meta := protocol.SnapshotMeta{Last: id, Membership: s.h.applier.members}
	if d, ok := s.h.opts.Machine.(machine.Durable); ok {
		s.h.background.Go(func() { s.sync(d) })
		return
	}
	frozen, err := s.h.applier.state.freeze()
	if err != nil {
		s.busy.Store(false)
		s.h.applyFailed(err)
		return
	}
	s.h.background.Go(func() {
		defer s.ended()
		if err := s.store(meta, frozen); err != nil {
			s.h.snapshotFailed("writing a snapshot", err)
			return
		}
		s.compact(id)
	})
}

// ended looks whether the next snapshot is due: what was applied meanwhile may have been
// the last for long.
func (s *snapshots) ended() {
	s.busy.Store(false)
	s.h.applier.do(func(*state) error {
		s.applied(s.h.applier.last)
		return nil
	})
}

// sync makes a state machine durable that keeps its own files, in place of a
// snapshot.
func (s *snapshots) sync(d machine.Durable) {
	defer s.ended()
	id, err := d.Sync()
	if err != nil {
		s.h.applyFailed(err)
		return
	}
	if err := s.drop(id); err != nil {
		s.h.storageFailed("removing a snapshot", err)
		return
	}
	s.compact(id)
}

// drop removes a snapshot that such a state machine has outlived: it was made for a
// transfer, or has arrived by one, and takes as much space as the state itself.
func (s *snapshots) drop(durable protocol.EntryID) error {
	select {
	case s.files <- struct{}{}:
		defer func() { <-s.files }()
	default:
		return nil // one is being made, which may take long; the next sync looks again
	}
	meta, ok, err := s.h.opts.Snapshots.Latest()
	if err != nil || !ok || meta.Last.Index > durable.Index || s.installing.Load() > 0 {
		return err
	}
	return s.h.opts.Snapshots.Keep(0)
}

// store writes a frozen state as the newest snapshot.
func (s *snapshots) store(meta protocol.SnapshotMeta, frozen machine.Snapshot) error {
	defer frozen.Close() //nolint:errcheck // what was read is checked by the snapshot's own checksums
	w, err := s.h.opts.Snapshots.Create(meta)
	if err != nil {
		return err
	}
	if _, err := frozen.WriteTo(w); err != nil {
		w.Abort() //nolint:errcheck // the first error counts
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	return s.outdate(meta.Last)
}

// outdate removes the snapshots before the one that was just stored, unless newer ones have
// arrived meanwhile: the first of them may still wait to be restored.
func (s *snapshots) outdate(last protocol.EntryID) error {
	meta, ok, err := s.h.opts.Snapshots.Latest()
	if err != nil || !ok || meta.Last != last {
		return err
	}
	return s.h.opts.Snapshots.Keep(1)
}

// compact lets the log forget what the durable state has, but for a tail that
// spares laggards a snapshot.
func (s *snapshots) compact(durable protocol.EntryID) {
	keep := protocol.Index(s.h.opts.KeepEntries)
	if durable.Index <= keep {
		return
	}
	upTo := durable.Index - keep
	s.h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(*replica.Replica) { s.h.compact(upTo) })
	})
}

// compact runs in the loop.
func (h *Host) compact(upTo protocol.Index) {
	st := h.opts.Log.State()
	upTo = h.retain(upTo)
	if upTo <= st.Base.Index || upTo > st.Last || h.Fault() != nil {
		return
	}
	base := protocol.EntryID{Index: upTo, Term: termAt(st, upTo)}
	h.writes = append(h.writes, write{compact: upTo})
	h.step(replica.Compacted{Base: base})
}

// retain gives how far the log may be compacted so that no follower that is being fed
// needs a snapshot in the middle of it, or after the one that it is getting. It retains
// MaxRetainedEntries at most, and nothing for a follower that is silent.
func (h *Host) retain(upTo protocol.Index) protocol.Index {
	need := upTo
	if last, ok := h.snapshots.sends.oldest(); ok {
		need = min(need, last)
	}
	for _, f := range h.replica.Status().Followers {
		switch silent := time.Duration(f.Silent) * h.opts.tick(); {
		case silent >= h.opts.ElectionTimeout:
		case f.State == progress.Replicate:
			need = min(need, f.Match)
		case f.State == progress.Probe:
			need = min(need, f.Next-1)
		}
	}
	most := protocol.Index(h.opts.MaxRetainedEntries)
	return max(need, upTo-min(upTo, most))
}

func termAt(st protocol.LogState, i protocol.Index) protocol.Term {
	term := st.Base.Term
	for _, t := range st.Terms {
		if t.First <= i {
			term = t.Term
		}
	}
	return term
}

// install makes a snapshot that has arrived the state. The write is done when the
// log is empty on disk and the state machine is restored.
func (h *Host) install(in *replica.Install) {
	var left atomic.Int32
	left.Store(2)
	h.snapshots.installing.Add(1)
	part := func() {
		if left.Add(-1) == 0 {
			h.snapshots.installing.Add(-1)
			h.durable(in.Seq)
		}
	}
	base := in.Meta.Last
	members, err := codec.Memberships{Serializer: h.opts.Serializer}.EncodeMembership(in.Meta.Membership)
	if err != nil {
		h.fail(fault.New(fault.InvariantBroken, time.Now(), err, "encoding the membership of a snapshot"))
		return
	}
	h.writes = append(h.writes, write{seq: in.Seq, reset: &base, members: members, then: part})
	h.applier.do(func(s *state) error {
		if err := restoreSnapshot(s, h.opts.Snapshots, base); err != nil {
			h.fail(asFault(err))
			return err
		}
		h.applier.last, h.applier.members = base, in.Meta.Membership
		h.applier.applied.Store(uint64(base.Index))
		h.applier.sessions.Store(int64(s.table.Len()))
		h.snapshots.taken = base.Index
		h.changes.applied(base.Index, true)
		h.noteApplied(base)
		h.onApplied(base)
		h.onSnapshot(base.Term)
		part()
		return nil
	})
}

func asFault(err error) *fault.Fault {
	if f, ok := err.(*fault.Fault); ok { //nolint:errorlint // made by restoreSnapshot, never wrapped
		return f
	}
	return fault.New(MachineFault(err), time.Now(), err, "restoring a snapshot")
}
