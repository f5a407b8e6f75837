package host_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// durableLedger keeps its state over restarts, as far as it was synced. A sync comes beside
// Apply: what is synced is the state as of the last AppliedTo, never a part of what follows,
// which would be applied once more after a restart.
type durableLedger struct {
	*ledger
	disk    *ledgerDisk
	mu      sync.Mutex
	settled ledgerDisk // as of the last AppliedTo
}

// ledgerDisk is what survives a process.
type ledgerDisk struct {
	entries []string
	last    protocol.EntryID
	records map[string][]byte
}

func (d *durableLedger) Applied() protocol.EntryID { return d.disk.last }

func (d *durableLedger) AppliedTo(id protocol.EntryID) { d.settle(id, nil) }

// settle is called by the goroutine that applies, between two calls of Apply.
func (d *durableLedger) settle(id protocol.EntryID, records map[string][]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settled = ledgerDisk{d.all(), id, records}
}

func (d *durableLedger) Sync() (protocol.EntryID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*d.disk = d.settled
	return d.settled.last, nil
}

func (d *durableLedger) Restore(last protocol.EntryID, r io.Reader) error {
	if err := d.ledger.Restore(last, r); err != nil {
		return err
	}
	d.AppliedTo(last)
	_, err := d.Sync()
	return err
}

var _ machine.Durable = (*durableLedger)(nil)

// keepingLedger keeps the host's records too.
type keepingLedger struct {
	*durableLedger
	records map[string][]byte // of the goroutine that applies
}

func (k *keepingLedger) AppliedTo(id protocol.EntryID) { k.settle(id, maps.Clone(k.records)) }

var _ machine.Keeper = (*keepingLedger)(nil)

func (k *keepingLedger) ApplyAndKeep(cs []machine.Command, rs []machine.Result, keep func() ([]machine.Record, error)) error {
	if err := k.Apply(cs, rs); err != nil {
		return err
	}
	records, err := keep()
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Value == nil {
			delete(k.records, string(r.Key))
		} else {
			k.records[string(r.Key)] = r.Value
		}
	}
	return nil
}

func (k *keepingLedger) Kept(f func(machine.Record) error) error {
	for key, value := range k.records {
		if err := f(machine.Record{Key: []byte(key), Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// Snapshot puts the records behind the entries, marked by an empty one.
func (k *keepingLedger) Snapshot() (machine.Snapshot, error) {
	all := append(k.all(), "")
	for _, key := range slices.Sorted(maps.Keys(k.records)) {
		all = append(all, key, string(k.records[key]))
	}
	return frozen(all), nil
}

func (k *keepingLedger) Restore(last protocol.EntryID, r io.Reader) error {
	if err := k.ledger.Restore(last, r); err != nil {
		return err
	}
	k.ledger.mu.Lock()
	k.records = map[string][]byte{}
	at := slices.Index(k.entries, "")
	for i := at + 1; i < len(k.entries); i += 2 {
		k.records[k.entries[i]] = []byte(k.entries[i+1])
	}
	k.entries = k.entries[:at]
	k.ledger.mu.Unlock()
	k.AppliedTo(last)
	_, err := k.Sync()
	return err
}

// keepingly is durably for a state machine that takes sessions.
func keepingly(o *host.Options, disks map[protocol.MemberID]*ledgerDisk) {
	durably(o, disks)
	k := &keepingLedger{durableLedger: o.Machine.(*durableLedger), records: maps.Clone(disks[o.ID].records)}
	if k.records == nil {
		k.records = map[string][]byte{}
	}
	o.Machine = k
}

// durably puts files of its own under a member's state machine.
func durably(o *host.Options, disks map[protocol.MemberID]*ledgerDisk) {
	if disks[o.ID] == nil {
		disks[o.ID] = &ledgerDisk{}
	}
	d := &durableLedger{ledger: o.Machine.(*ledger), disk: disks[o.ID], settled: *disks[o.ID]}
	d.entries = slices.Clone(d.disk.entries)
	o.Machine = d
}

// A sync between Apply and AppliedTo keeps nothing of what was applied: after a restart the
// host applies it again.
func TestASyncBesideApply(t *testing.T) {
	disks := map[protocol.MemberID]*ledgerDisk{}
	open := func() *keepingLedger {
		o := &host.Options{ID: 1, Machine: &ledger{}}
		keepingly(o, disks)
		return o.Machine.(*keepingLedger)
	}
	apply := func(k *keepingLedger, payload string) {
		record := func() ([]machine.Record, error) {
			return []machine.Record{{Key: []byte(payload), Value: []byte{1}}}, nil
		}
		if err := k.ApplyAndKeep([]machine.Command{{Payload: []byte(payload)}}, make([]machine.Result, 1), record); err != nil {
			t.Fatal(err)
		}
	}
	k := open()
	apply(k, "first")
	k.AppliedTo(protocol.EntryID{Term: 1, Index: 1})
	apply(k, "second")
	if id, err := k.Sync(); id.Index != 1 || err != nil {
		t.Errorf("synced up to %+v, %v", id, err)
	}
	k = open()
	if got := k.all(); len(got) != 1 || len(k.records) != 1 || k.Applied().Index != 1 {
		t.Errorf("%q, %q and %+v were kept", got, k.records, k.Applied())
	}
}

// A state machine with files of its own is synced in place of snapshots; a laggard gets a
// snapshot made for it, and that snapshot does not stay longer than it is of use.
func TestDurableStateMachine(t *testing.T) {
	disks := map[protocol.MemberID]*ledgerDisk{}
	change := func(o *host.Options) {
		durably(o, disks)
		o.SnapshotEntries, o.KeepEntries = 20, 5
	}
	bubble(t, 3, change, func(g *group) {
		l, lag := g.leader(), g.follower()
		g.board.Isolate(lag.id)
		for i := range 50 {
			g.propose(l, fmt.Sprint(i))
		}
		g.until("the log is compacted", func() bool { return l.log.State().Base.Index > 20 })
		g.board.Heal()
		g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == 50 })
		if lag.log.State().Base.Index == 0 {
			t.Error("the laggard's log begins at 1: no snapshot was installed")
		}
		total := 50
		for _, m := range g.members {
			g.until("no snapshot is left", func() bool {
				g.propose(g.leader(), fmt.Sprint(total)) // the next sync comes with more entries
				total++
				_, ok, _ := m.snapshots.Latest()
				return !ok
			})
		}
		for _, m := range g.members {
			g.restart(m)
		}
		g.leader()
		for _, m := range g.members {
			g.until("it has everything again", func() bool { return len(m.ledger.all()) == total })
		}
		synctest.Wait()
	})
}
