package filelog

import (
	"errors"
	"slices"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// meets harms the record of an entry, and wants a read to meet the damage.
func (ts *testStore) meets(index protocol.Index, harm func(*testStore, Record)) {
	ts.t.Helper()
	s := find(ts.Log.mu.chain, index)
	harm(ts, Record{File: s.name, Offset: int64(s.offsets[index-s.first]), Size: 100 + codec.FrameOverhead})
	if _, err := ts.Log.Read(index, index, 1); !isDamage(err) {
		ts.t.Fatalf("the read of entry %d gives %v", index, err)
	}
}

// met has a log of ten commands, damage that a read meets in a running log, and its repair.
func met(index protocol.Index, harm func(*testStore, Record)) func(*testStore) {
	return func(ts *testStore) {
		ts.reopen(ts.fs)
		ts.meets(index, harm)
		repairAll(ts.t, ts.Log, ts.model)
		ts.expect()
	}
}

// refused wants a *storage.RepairError for an entry, and entry 3 damaged as before.
func refused(harm func(*testStore, Record), e protocol.Entry) func(*testStore) {
	return func(ts *testStore) {
		ts.reopen(ts.fs)
		ts.meets(3, harm)
		if _, ok := errors.AsType[*storage.RepairError](repairOne(ts.Log, e)); !ok {
			ts.t.Error("it was taken")
		}
		if got := indexes(ts.Log.Damaged()); !slices.Equal(got, []protocol.Index{3}) {
			ts.t.Errorf("damaged are %v", got)
		}
		repairAll(ts.t, ts.Log, ts.model)
		ts.expect()
	}
}

// again gives the model's entry with a change.
func again(index protocol.Index, change func(*protocol.Entry)) protocol.Entry {
	e := command(1, index, 100)
	change(&e)
	return e
}

var repairStories = map[string]branchStory{
	"a read meets a payload": {
		takes: []branch{branchMetPayload, branchRepairBehind, branchRepaired}, write: commands(10),
		ends: met(3, (*testStore).losePayload),
	},
	"a read meets a header": {
		takes: []branch{branchMetToFrame, branchRepaired}, write: commands(10),
		ends: met(3, (*testStore).loseHeader),
	},
	"a read meets the last header": {
		takes: []branch{branchMetToEnd, branchRepaired}, write: commands(10),
		ends: func(ts *testStore) {
			ts.reopen(ts.fs)
			ts.append(command(1, 11, 100))
			ts.meets(11, (*testStore).loseHeader)
			repairAll(ts.t, ts.Log, ts.model)
			ts.expect()
		},
	},
	"a read is too late for damage": {
		takes: []branch{branchMetWhole}, write: commands(10),
		ends: func(ts *testStore) {
			ts.opens()
			ts.Log.found(find(ts.Log.mu.chain, 3), 3)
			if d := ts.Log.Damaged(); len(d) > 0 {
				ts.t.Errorf("damaged are %v", d)
			}
		},
	},
	"a repair of what is whole": {
		takes: []branch{branchNotDamaged}, write: commands(10),
		ends: refused((*testStore).loseHeader, command(1, 4, 100)),
	},
	"a repair with another term": {
		takes: []branch{branchOtherTerm}, write: commands(10),
		ends: refused((*testStore).loseHeader, command(2, 3, 100)),
	},
	"a repair with a record of the log's own": {
		takes: []branch{branchOtherKind}, write: commands(10),
		ends: refused((*testStore).loseHeader, again(3, func(e *protocol.Entry) { e.Kind = kindBase })),
	},
	"a repair that is not as the header": {
		takes: []branch{branchOtherFrame}, write: commands(10),
		ends: refused((*testStore).losePayload, command(1, 3, 99)),
	},
	"a repair that is too long": {
		takes: []branch{branchTooLong}, write: commands(10),
		ends: refused((*testStore).loseHeader, command(1, 3, 101)),
	},
	"a repair that leaves a few bytes": {
		takes: []branch{branchNotFitting}, write: commands(10),
		ends: refused((*testStore).loseHeader, command(1, 3, 90)),
	},
	"a repair of less than there was": {
		takes: []branch{branchRepairFilled, branchFill}, write: based(7),
		harm: func(ts *testStore) {
			lost, base := ts.command(5), ts.record("base", 3)
			ts.loseHeader(lost)
			ts.loseHeader(base)
		},
		ends: (*testStore).repairs,
	},
	"a repair of what is cut off meanwhile": {
		takes: []branch{branchNothingLives}, write: commands(10), ends: cutOffMeanwhile,
	},
	"a repair that the disk spoils": {
		takes: []branch{branchMoreToCome, branchRepairSpoilt, branchRepaired}, write: commands(8),
		harm: func(ts *testStore) {
			third, fourth := ts.command(3), ts.command(4)
			ts.loseHeader(third)
			ts.loseHeader(fourth)
		},
		ends: spoiltRepair,
	},
}

// cutOffMeanwhile queues the repair of an entry while the log's goroutine is busy, and then
// what cuts the entry off.
func cutOffMeanwhile(ts *testStore) {
	ts.reopen(ts.fs)
	ts.meets(3, (*testStore).loseHeader)
	lost, done := ts.model.Entries[2], make(chan error, 2)
	ts.Log.Append([]protocol.Entry{command(1, 11, 100)}, func(error) {
		ts.Log.Repair(lost, func(err error) { done <- err })
		ts.Log.Append([]protocol.Entry{command(2, 2, 100)}, func(err error) { done <- err })
	})
	if err := errors.Join(<-done, <-done); err != nil {
		ts.t.Fatal(err)
	}
	ts.model.Append(command(2, 2, 100))
	ts.expect()
}

// spoiltRepair: a disk that spoils what a repair writes gives a *storage.DamageError that names
// the first entry of the place, which stays damaged; all of its entries must come again.
func spoiltRepair(ts *testStore) {
	spoil := func() {}
	disk := vfs.NewFaulty(ts.fs, vfs.Rule{Op: vfs.OpSync, Pattern: "*.seg", Before: func() { spoil() }})
	s, err := Open(disk, "d", ts.opts)
	if err != nil {
		ts.t.Fatal(err)
	}
	defer s.Close()
	ts.Store = s
	third, fourth := ts.model.Entries[2], ts.model.Entries[3]
	if err := repairOne(s.Log, third); err != nil {
		ts.t.Fatalf("the first of two entries: %v", err)
	}
	h := s.Log.mu.holes[0]
	spoil = func() { flip(ts.t, ts.fs, h.segment.name, h.from+60) }
	damage, ok := errors.AsType[*storage.DamageError](repairOne(s.Log, fourth))
	spoil = func() {}
	if !ok || damage.Index != 3 || damage.Term != 1 {
		ts.t.Fatalf("a repair that was spoilt gives %v", damage)
	}
	if err := repairOne(s.Log, fourth); err != nil {
		ts.t.Fatalf("one of two entries again: %v", err)
	}
	if got := indexes(s.Log.Damaged()); !slices.Equal(got, []protocol.Index{3, 4}) {
		ts.t.Errorf("with one of two entries %v are damaged", got)
	}
	if err := repairOne(s.Log, third); err != nil {
		ts.t.Fatalf("the other one again: %v", err)
	}
	ts.expect()
}
