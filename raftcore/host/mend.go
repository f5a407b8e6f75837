package host

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/repair"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// mending is the repair of damaged records from the other members. While it goes on the
// member follows, and votes by its log's last entry, but never leads, and applies
// nothing at or behind a damaged entry. Fields without a note are the loop's.
type mending struct {
	repairer  *repair.Repairer
	needed    bool
	ongoing   atomic.Bool // for anybody: there is damage, and no snapshot is taken
	reported  int         // damaged records that were told of last
	refused   refusals
	suspected atomic.Bool // anybody's: somebody has met damage, or has repaired some
	answering sync.Map    // the transport puts, the loop removes: members whose request is being answered
}

// refusals are how many repairs of a place, named by its first entry, the disk has answered with
// damage in a row: it is forgotten when the place is whole.
type refusals map[protocol.EntryID]int

// keep forgets places that are not damaged any more.
func (r refusals) keep(damaged []protocol.EntryID) {
	maps.DeleteFunc(r, func(id protocol.EntryID, _ int) bool { return !slices.Contains(damaged, id) })
}

// repairAsk is how many heartbeat intervals an answer is awaited, and repairRefusals how
// often a place on the disk may give damage back for what was just written there.
const (
	repairAsk      = 5
	repairRefusals = 3
)

func newRepairer(o *Options) *repair.Repairer {
	return repair.New(repair.Config{
		AskTicks:      repairAsk * ticksPerHeartbeat,
		PatienceTicks: int(o.RepairPatience / o.tick()),
	})
}

// suspect makes the loop look for damage.
func (h *Host) suspect() { h.mending.suspected.Store(true) }

// mend is called by the loop at each tick, and before the first.
func (h *Host) mend() {
	m := &h.mending
	if !m.needed && !m.suspected.Swap(false) || h.Fault() != nil {
		return
	}
	damaged := h.opts.Log.Damaged()
	v := repair.View{Damaged: damaged, Leader: h.State().Leader, Peers: h.others()}
	to, ask := m.repairer.Tick(v)
	if id, lost := m.repairer.Lost(v); lost {
		h.fail(fault.New(fault.LogCorrupt, time.Now(), h.damageOf(id), "entry %d of term %d cannot be repaired: none of %d other members has it", id.Index, id.Term, len(v.Peers)))
		return
	}
	h.tellDamage(damaged)
	if to != 0 {
		h.outbox = append(h.outbox, protocol.Message{From: h.opts.ID, To: to, Body: ask})
	}
}

// tellDamage reports damage when it is met, and when it is repaired.
func (h *Host) tellDamage(damaged []protocol.EntryID) {
	m := &h.mending
	m.needed = len(damaged) > 0
	m.refused.keep(damaged)
	m.ongoing.Store(m.needed)
	if !m.needed && m.reported > 0 {
		h.learnConfigurations()
	}
	if !m.needed && m.reported > 0 {
		h.recovered(fault.LogCorrupt)
		h.opts.Logger.Info("every damaged record of the log is repaired")
	}
	if len(damaged) > m.reported {
		h.ailing(fault.New(fault.LogCorrupt, time.Now(), h.damageOf(damaged[0]),
			"%d records of the log are damaged; the other members are asked for them, and this one does not lead until it has them", len(damaged)))
	}
	m.reported = len(damaged)
	if !h.opts.Mutation.Has(mutation.CampaignWhileDamaged) {
		h.setFitness(forDamage, worse(m.needed, replica.Unable))
	}
}

// learnConfigurations tells what the log knows of configurations now that all of it can be
// read: the replica before it may lead again, and the applier before it takes a snapshot.
func (h *Host) learnConfigurations() {
	known := h.opts.Log.State().Configurations
	h.step(replica.Repaired{Configurations: known})
	h.applier.do(func(*state) error { return h.applier.learn(known) })
}

// damageOf gives the error that reading an entry gives.
func (h *Host) damageOf(id protocol.EntryID) error {
	_, err := h.opts.Log.Read(id.Index, id.Index, 1)
	return err
}

// others gives the other members of the present membership.
func (h *Host) others() (ids []protocol.MemberID) {
	for _, x := range h.Membership().Members {
		if x.ID != h.opts.ID {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// takeRepair writes what another member has given.
func (h *Host) takeRepair(from protocol.MemberID, answer *protocol.RepairResponse) {
	if h.Fault() != nil {
		return
	}
	for _, e := range h.mending.repairer.Take(from, answer) {
		h.opts.Log.Repair(e, func(err error) { h.repaired(err) })
	}
}

// repaired is called by the log when an entry was taken, or when it could not be.
func (h *Host) repaired(err error) {
	var refused *storage.RepairError
	var damage *storage.DamageError
	switch {
	case err == nil:
		h.suspect()
	case errors.As(err, &refused):
		h.opts.Logger.Info("a repair was not taken", "reason", err.Error())
	case errors.As(err, &damage):
		h.onLoop(func() { h.repairRefused(damage) })
	default:
		h.storageFailed("repairing the log", err)
	}
}

// repairRefused counts that the disk gave damage for what was just written to it.
func (h *Host) repairRefused(d *storage.DamageError) {
	place := protocol.EntryID{Term: d.Term, Index: d.Index}
	h.mending.refused[place]++
	if n := h.mending.refused[place]; n >= repairRefusals {
		h.fail(fault.New(fault.LogCorrupt, time.Now(), d, "the disk gives damage for entry %d after %d repairs", d.Index, n))
	}
}

// onLoop lets the loop run f.
func (h *Host) onLoop(f func()) {
	h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(*replica.Replica) { f() })
	})
}

// giveRepair answers another member's request. The entries are read apart from the loop, but
// the loop sends them: a request may come before Start knows the transport. While one answer
// to a member is made, others to it are not: it will ask again.
func (h *Host) giveRepair(from protocol.MemberID, ask *protocol.RepairRequest) {
	if _, busy := h.mending.answering.LoadOrStore(from, true); busy || h.Fault() != nil {
		return
	}
	h.background.Go(func() {
		answer := repair.Answer(ask, h.forRepair, h.opts.MaxMessageBytes, h.opts.Mutation)
		h.onLoop(func() {
			h.mending.answering.Delete(from)
			h.outbox = append(h.outbox, protocol.Message{From: h.opts.ID, To: from, Body: answer})
		})
	})
}

// forRepair reads an entry for another member. The log has verified its checksums.
func (h *Host) forRepair(id protocol.EntryID) (protocol.Entry, repair.Found) {
	es, err := h.opts.Log.Read(id.Index, id.Index, 1)
	switch {
	case errors.Is(err, storage.ErrCompacted), errors.Is(err, storage.ErrUnavailable):
		return protocol.Entry{}, repair.Absent
	case err != nil:
		h.readFailed(fmt.Errorf("for another member's repair: %w", err))
		return protocol.Entry{}, repair.Unsure
	}
	return es[0], repair.Present
}
