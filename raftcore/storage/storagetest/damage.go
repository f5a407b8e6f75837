package storagetest

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// damage spoils records, and makes the log notice. It skips the test when the records
// cannot be spoilt.
func (f *logFixture) damage(is ...protocol.Index) {
	f.t.Helper()
	if f.Damage == nil {
		f.t.Skip("nobody can spoil this log's records")
	}
	for _, i := range is {
		f.Damage(f.t, i)
	}
	for _, i := range is {
		f.unreadable(i)
	}
}

// unreadable demands that the record is said to be damaged, by its name.
func (f *logFixture) unreadable(i protocol.Index) {
	f.t.Helper()
	_, err := f.Log.Read(i, i, 1)
	var d *storage.DamageError
	if !errors.As(err, &d) || d.Index != i {
		f.t.Fatalf("read of the damaged entry %d gave %v", i, err)
	}
}

func (f *logFixture) expectDamaged(want ...protocol.Index) {
	f.t.Helper()
	var got []protocol.Index
	for _, id := range f.Log.Damaged() {
		got = append(got, id.Index)
		if e := f.model.Entries[id.Index-f.model.Base.Index-1]; e.Term != id.Term {
			f.t.Errorf("damaged entry %d is said to be of term %d, it is of term %d", id.Index, id.Term, e.Term)
		}
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		f.t.Fatalf("damaged entries (-want +got):\n%s", d)
	}
}

func (f *logFixture) repair(e protocol.Entry) error {
	f.t.Helper()
	done := make(chan error, 2)
	f.Log.Repair(e, func(err error) { done <- err })
	return wait(f.t, done)
}

func damageRepaired(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	f.append(Entries(2, 6, 5)...)
	f.expectDamaged()
	f.damage(3, 7)
	f.expectDamaged(3, 7)
	if d := cmp.Diff(f.model.State(), f.Log.State(), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("damage changes the state (-want +got):\n%s", d)
	}
	es, err := f.Log.Read(4, 10, math.MaxInt)
	if err != nil || !EqualEntries(f.model.Read(4, 6, math.MaxInt), es) {
		t.Errorf("read [4, 10] over the damaged entry 7 gave %d entries, %v; want 4 to 6", len(es), err)
	}
	for _, i := range []protocol.Index{7, 3} {
		if err := f.repair(f.model.Entries[i-1]); err != nil {
			t.Fatal(err)
		}
	}
	f.expectDamaged()
	f.expect()
	f.append(Entries(3, 11, 2)...)
	f.reopen()
	f.expectDamaged()
	f.expect()
}

func repairChecked(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 5)...)
	f.append(Entries(2, 6, 5)...)
	f.damage(7)
	right := f.model.Entries[6]
	wrong := map[string]protocol.Entry{
		"another term":     {Index: 7, Term: 3, Kind: right.Kind, Payload: right.Payload},
		"an older term":    {Index: 7, Term: 1, Kind: right.Kind, Payload: right.Payload},
		"another kind":     {Index: 7, Term: 2, Kind: protocol.EntryNoOp, Payload: right.Payload},
		"another length":   {Index: 7, Term: 2, Kind: right.Kind, Payload: right.Payload[1:]},
		"a sound record":   f.model.Entries[4],
		"beyond the end":   Entries(2, 11, 1)[0],
		"below everything": {Index: 0, Term: 0, Kind: right.Kind},
	}
	for name, e := range wrong {
		var r *storage.RepairError
		if err := f.repair(e); !errors.As(err, &r) || r.Entry != e.ID() {
			t.Errorf("repair with %s gave %v", name, err)
		}
	}
	f.expectDamaged(7)
	f.unreadable(7)
	if err := f.repair(right); err != nil {
		t.Fatal(err)
	}
	f.expectDamaged()
	f.expect()
}

func damageCut(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 10)...)
	f.damage(3, 7, 9)
	f.append(Entries(2, 8, 1)...)
	f.expectDamaged(3, 7)
	f.compact(4)
	f.expectDamaged(7)
	f.append(Entries(3, 7, 3)...)
	f.expectDamaged()
	f.expect()
	f.damage(8)
	var r *storage.RepairError
	if err := f.repair(Entries(1, 7, 1)[0]); !errors.As(err, &r) {
		t.Errorf("repair of an entry that was cut off gave %v", err)
	}
	f.reset(protocol.EntryID{Term: 4, Index: 20})
	f.expectDamaged()
	f.expect()
}

func damageReopened(t *testing.T, f *logFixture) {
	f.append(Entries(1, 1, 10)...)
	f.append(Entries(2, 11, 10)...)
	f.damage(5, 10, 11)
	f.reopen()
	f.expectDamaged(5, 10, 11)
	if d := cmp.Diff(f.model.State(), f.Log.State(), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("damage changes the state (-want +got):\n%s", d)
	}
	f.append(Entries(2, 21, 3)...)
	for _, id := range f.Log.Damaged() {
		if err := f.repair(f.model.Entries[id.Index-1]); err != nil {
			t.Fatal(err)
		}
	}
	f.expectDamaged()
	f.expect()
	f.reopen()
	f.expect()
}
