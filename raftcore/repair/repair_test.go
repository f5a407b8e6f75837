package repair_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/repair"
)

func id(term protocol.Term, index protocol.Index) protocol.EntryID {
	return protocol.EntryID{Term: term, Index: index}
}

func entry(term protocol.Term, index protocol.Index, size int) protocol.Entry {
	return protocol.Entry{Term: term, Index: index, Kind: protocol.EntryCommand, Payload: make([]byte, size)}
}

var peers = []protocol.MemberID{3, 1, 4}

// asks lets ticks pass and tells who was asked at which.
func asks(r *repair.Repairer, v repair.View, ticks int) (out []string) {
	for i := range ticks {
		if to, ask := r.Tick(v); to != 0 {
			out = append(out, fmt.Sprintf("%d: %d for %d", i, to, len(ask.Entries)))
		}
	}
	return out
}

func TestTheLeaderIsAskedFirstThenTheOthersInTurn(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, PatienceTicks: 50})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5), id(2, 9)}, Leader: 3, Peers: peers}
	want := []string{"0: 3 for 2", "3: 4 for 2", "6: 1 for 2", "9: 3 for 2"}
	if d := cmp.Diff(want, asks(r, v, 12)); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
	if lost, ok := r.Lost(v); ok {
		t.Errorf("%v is called lost though nobody has answered", lost)
	}
}

func TestNobodyIsAskedWithoutDamage(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3})
	if got := asks(r, repair.View{Leader: 1, Peers: peers}, 10); len(got) > 0 {
		t.Errorf("asked %v", got)
	}
}

// Who had some of it is asked for the rest, before the others.
func TestWhoHasSomeIsAskedForMore(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, MaxEntries: 2})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5), id(1, 6), id(1, 7)}, Leader: 3, Peers: peers}
	if got := asks(r, v, 1); !slices.Equal(got, []string{"0: 3 for 2"}) {
		t.Fatalf("asked %v", got)
	}
	taken := r.Take(3, &protocol.RepairResponse{Entries: []protocol.Entry{entry(1, 5, 1), entry(2, 6, 1), entry(1, 8, 1)}})
	if len(taken) != 1 || taken[0].ID() != id(1, 5) {
		t.Fatalf("took %v: want only what was asked for, of the same term", taken)
	}
	v.Damaged = v.Damaged[1:]
	if got := asks(r, v, 1); !slices.Equal(got, []string{"0: 3 for 2"}) {
		t.Errorf("asked %v", got)
	}
}

func TestLostOnlyWhenEverybodyHasSaidSo(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, PatienceTicks: 40})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5)}, Leader: 3, Peers: peers}
	missing := &protocol.RepairResponse{Missing: v.Damaged}
	for range 60 { // two of them answer, the third is down
		if to, _ := r.Tick(v); to == 1 || to == 3 {
			r.Take(to, missing)
		}
	}
	if _, ok := r.Lost(v); ok {
		t.Fatal("it is called lost though member 4 has not answered")
	}
	for range 30 {
		if to, _ := r.Tick(v); to == 4 {
			r.Take(to, missing)
		}
	}
	if lost, ok := r.Lost(v); !ok || lost != id(1, 5) {
		t.Errorf("lost is %v, %v", lost, ok)
	}
	v.Damaged = nil
	if _, ok := r.Lost(v); ok {
		t.Error("something is called lost after it was repaired")
	}
}

func TestPatience(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, PatienceTicks: 40})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5)}, Peers: peers}
	lostAt := 0
	for i := range 100 {
		if to, ask := r.Tick(v); to != 0 {
			r.Take(to, &protocol.RepairResponse{Missing: ask.Entries})
		}
		if _, ok := r.Lost(v); ok && lostAt == 0 {
			lostAt = i
		}
	}
	if lostAt != 40 {
		t.Errorf("it was called lost after %d ticks, the patience is 40", lostAt)
	}
}

// A member that did not have an entry is asked again after a while.
func TestAbsenceIsAskedForAgain(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, PatienceTicks: 1000})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5)}, Peers: []protocol.MemberID{2}}
	asked := 0
	for range 100 {
		if to, ask := r.Tick(v); to != 0 {
			asked++
			r.Take(to, &protocol.RepairResponse{Missing: ask.Entries})
		}
	}
	if asked != 4 {
		t.Errorf("it was asked %d times in 100 ticks, want every 30", asked)
	}
}

func TestAloneIsLostAtOnce(t *testing.T) {
	r := repair.New(repair.Config{AskTicks: 3, PatienceTicks: 1000})
	v := repair.View{Damaged: []protocol.EntryID{id(1, 5)}}
	if to, _ := r.Tick(v); to != 0 {
		t.Errorf("member %d was asked", to)
	}
	if _, ok := r.Lost(v); !ok {
		t.Error("there is nobody who could have it, but it is not called lost")
	}
}

func TestAnswer(t *testing.T) {
	log := map[protocol.Index]protocol.Entry{5: entry(1, 5, 100), 6: entry(2, 6, 100), 7: entry(2, 7, 100), 9: entry(2, 9, 100)}
	read := func(id protocol.EntryID) (protocol.Entry, repair.Found) {
		if id.Index == 8 {
			return protocol.Entry{}, repair.Unsure
		}
		if e, ok := log[id.Index]; ok {
			return e, repair.Present
		}
		return protocol.Entry{}, repair.Absent
	}
	ask := &protocol.RepairRequest{Entries: []protocol.EntryID{id(1, 5), id(1, 6), id(2, 7), id(2, 8), id(2, 9), id(2, 10)}}
	got := repair.Answer(ask, read, 1000, 0)
	want := &protocol.RepairResponse{
		Entries: []protocol.Entry{log[5], log[7], log[9]},
		Missing: []protocol.EntryID{id(1, 6), id(2, 10)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got):\n%s", d)
	}
	if got := repair.Answer(ask, read, 1, 0); len(got.Entries) != 1 || len(got.Missing) != 1 {
		t.Errorf("an answer of at most one byte has %d entries, want one, and %d missing", len(got.Entries), len(got.Missing))
	}
}
