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

// durableLedger keeps its state over restarts, as far as it was synced.
type durableLedger struct {
	*ledger
	disk *ledgerDisk
	last protocol.EntryID
	mu   sync.Mutex
}

// ledgerDisk is what survives a process.
type ledgerDisk struct {
	entries []string
	last    protocol.EntryID
	records map[string][]byte
}

func (d *durableLedger) Applied() protocol.EntryID { return d.disk.last }

func (d *durableLedger) AppliedTo(id protocol.EntryID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = id
}

func (d *durableLedger) Sync() (protocol.EntryID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disk.entries, d.disk.last = d.all(), d.last
	return d.last, nil
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
	records map[string][]byte // under durableLedger's lock
}

var _ machine.Keeper = (*keepingLedger)(nil)

func (k *keepingLedger) ApplyAndKeep(cs []machine.Command, rs []machine.Result, keep func() ([]machine.Record, error)) error {
	if err := k.Apply(cs, rs); err != nil {
		return err
	}
	records, err := keep()
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
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

func (k *keepingLedger) Sync() (protocol.EntryID, error) {
	k.mu.Lock()
	k.disk.records = maps.Clone(k.records)
	k.mu.Unlock()
	return k.durableLedger.Sync()
}

// Snapshot puts the records behind the entries, marked by an empty one.
func (k *keepingLedger) Snapshot() (machine.Snapshot, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
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
	k.mu.Lock()
	k.ledger.mu.Lock()
	k.records = map[string][]byte{}
	at := slices.Index(k.entries, "")
	for i := at + 1; i < len(k.entries); i += 2 {
		k.records[k.entries[i]] = []byte(k.entries[i+1])
	}
	k.entries, k.last = k.entries[:at], last
	k.ledger.mu.Unlock()
	k.mu.Unlock()
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
	d := &durableLedger{ledger: o.Machine.(*ledger), disk: disks[o.ID], last: disks[o.ID].last}
	d.entries = d.disk.entries
	o.Machine = d
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
