package host_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// badSectors spoil what is written to them, between the write and the read-back.
type badSectors struct {
	mu      sync.Mutex
	sectors []*badSector
}

type badSector struct {
	place
	times int // it still spoils
}

func (b *badSectors) add(p place, times int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sectors = append(b.sectors, &badSector{p, times})
}

// rule is for the disk that has them.
func (b *badSectors) rule(t *testing.T) vfs.Rule {
	return vfs.Rule{Op: vfs.OpSync, Pattern: "*.seg", Before: func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, s := range b.sectors {
			now, err := s.read()
			if err == nil && now == s.whole && s.times > 0 {
				s.times--
				err = s.write(^s.whole)
			}
			if err != nil {
				t.Errorf("spoiling %s at %d: %v", s.file, s.offset, err)
			}
		}
	}}
}

// spent reports whether each has spoilt as often as it was to.
func (b *badSectors) spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sectors {
		if s.times > 0 {
			return false
		}
	}
	return true
}

// payloadMiddle is where tests of this file spoil a record.
var payloadMiddle = bits["payload"]

// refusingDisk runs f with a member whose disk has bad sectors.
func refusingDisk(t *testing.T, f func(*rotting, *member, *badSectors)) {
	t.Helper()
	bad := &badSectors{}
	rule := func(r *rotting) { r.rules[2] = []vfs.Rule{bad.rule(t)} }
	newRotting(t, false, rule, func(r *rotting) { f(r, r.members[1], bad) })
}

// A disk that spoils a repair twice takes the third. What it refused of one record, or before
// a record was whole, does not count for the next damage: a process may live for years.
func TestRefusedRepairsAreForgotten(t *testing.T) {
	refusingDisk(t, func(r *rotting, ill *member, bad *badSectors) {
		want := r.fill(20)
		r.reborn(func() {
			for _, i := range []protocol.Index{3, 8, 13} { // as many as would fence it
				bad.add(r.spoil(ill, i, payloadMiddle), 1)
			}
		})
		r.expectHealed(ill, want)
		for range 3 {
			want = r.leader().ledger.all()
			bad.add(r.spoil(ill, 8, payloadMiddle), 2)
			r.meet(ill, 8)
			r.expectHealed(ill, want)
		}
		if !bad.spent() {
			t.Error("not every repair was spoilt: the test shows nothing")
		}
	})
}

// A disk that spoils the same record three times in a row does not keep what is written there.
func TestADiskThatRefusesRepairsIsAFault(t *testing.T) {
	refusingDisk(t, func(r *rotting, ill *member, bad *badSectors) {
		r.fill(20)
		r.reborn(func() { bad.add(r.spoil(ill, 8, payloadMiddle), 3) })
		r.until("it is fenced", func() bool { return ill.Fault() != nil })
		if f := ill.Fault(); f.Kind != fault.LogCorrupt || !strings.Contains(f.Message, "entry 8 after 3 repairs") {
			t.Errorf("the fault is %v", f)
		}
		r.propose(r.leader(), "the others go on")
	})
}

// meet makes a member read an entry from its disk, for another one, until it has found the damage.
func (r *rotting) meet(ill *member, index protocol.Index) {
	r.t.Helper()
	from := r.members[0]
	term, known := ill.Status().Term, false
	r.until(fmt.Sprintf("member %d has met the damage of entry %d", ill.id, index), func() bool {
		if !known {
			from.comms.Send([]protocol.Message{{From: from.id, To: ill.id, Body: &protocol.RepairRequest{Entries: []protocol.EntryID{{Term: term, Index: index}}}}})
		}
		known = known || len(ill.Ailments()) > 0
		return known
	})
}
