package host_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// volumes is a group whose disks can be wiped.
type volumes struct {
	*group
	wiped map[protocol.MemberID]bool
}

// withVolumes runs f with a started group of three, whose leader records volumes or does not.
func withVolumes(t *testing.T, record bool, f func(*volumes)) {
	t.Helper()
	v := &volumes{wiped: map[protocol.MemberID]bool{}}
	options := func(o *host.Options) {
		o.RecordIncarnations = record
		if v.wiped[o.ID] {
			o.Incarnation += 100
		}
	}
	bubble(t, 3, options, func(g *group) {
		v.group = g
		f(v)
	})
}

// wipe gives a member that has ended an empty volume for its next life.
func (v *volumes) wipe(m *member) {
	v.wiped[m.id] = true
	m.log.Close() //nolint:errcheck // nobody reads it again
	m.log, m.votes, m.snapshots = memlog.NewLog(), &memlog.Votes{}, &memlog.Snapshots{}
}

// recorded waits until every member knows the volume of each.
func (v *volumes) recorded() {
	v.t.Helper()
	v.until("all volumes are recorded", func() bool {
		return !slices.ContainsFunc(v.members, func(m *member) bool {
			return slices.ContainsFunc(m.Membership().Members, func(x protocol.Member) bool {
				return x.Incarnation != protocol.Incarnation(x.ID)
			})
		})
	})
}

// configurations counts the changes in the leader's log.
func (v *volumes) configurations() int { return len(v.leader().log.State().Configurations) }

// A leader records the volumes by one change, and that of a member that joins by one more.
func TestVolumesAreRecordedOnce(t *testing.T) {
	withVolumes(t, true, func(v *volumes) {
		v.recorded()
		v.propose(v.leader(), "a first")
		time.Sleep(10 * time.Second)
		if n := v.configurations(); n != 1 {
			t.Errorf("three volumes were recorded by %d changes", n)
		}
		v.add(4)
		v.recorded()
		old := v.leader()
		v.restart(old)
		v.propose(v.leader(), "a second")
		time.Sleep(10 * time.Second)
		if n := v.configurations(); n != 3 {
			t.Errorf("with one that has joined there are %d changes, want 3: it was added and recorded", n)
		}
	})
}

// While a voter was not heard since the founding nothing is recorded, and a change that
// somebody asks for is made.
func TestVolumesAreRecordedWhenAllVotersWereHeard(t *testing.T) {
	withVolumes(t, true, func(v *volumes) {
		v.board.Isolate(3) // before the first tick
		v.propose(v.leader(), "without the third")
		time.Sleep(10 * time.Second)
		if n := v.configurations(); n != 0 {
			t.Errorf("without the third voter there are %d changes", n)
		}
		v.add(4)
		v.board.Heal()
		v.recorded()
	})
}

// A volume that was wiped comes back under its old ID, and the member that has the last
// acknowledged command is down. Of the two that are up the wiped one would elect the other,
// which does not have it. When volumes are recorded its vote does not count; it is
// fenced as soon as there is a leader to tell it.
func TestAWipedVolumeIsFenced(t *testing.T) {
	for _, record := range []bool{true, false} {
		t.Run(fmt.Sprint("recorded ", record), func(t *testing.T) {
			withVolumes(t, record, func(v *volumes) {
				v.propose(v.leader(), "everybody has it")
				if record {
					v.recorded()
				}
				v.agree(1, 2, 3)
				keeps := v.leader()
				wiped, behind := v.members[keeps.id%3], v.members[(keeps.id+1)%3]
				v.board.Isolate(behind.id)
				v.propose(keeps, "two have it")
				v.stop(keeps, wiped)
				v.wipe(wiped)
				v.board.Heal()
				v.start(wiped)
				time.Sleep(time.Minute)
				if leads := behind.State().Role == replica.Leader; leads == record {
					t.Fatalf("the member without the last command leads: %v", leads)
				}
				v.start(keeps)
				v.propose(v.leader(), "the others go on")
				if !record {
					return
				}
				v.until("the wiped volume is fenced", func() bool { return wiped.Fault() != nil })
				if f := wiped.Fault(); f.Kind != fault.VolumeLost || f.Kind.Remedy() != fault.ReplaceMember {
					t.Errorf("the fault is %v with the remedy %s", f, f.Kind.Remedy())
				}
				if got := v.leader().ledger.all(); !slices.Contains(got, "two have it") {
					t.Errorf("of what was acknowledged this is left: %q", got)
				}
			})
		})
	}
}

// Of two volumes that a leader heard under an ID the first is recorded: a second one that
// comes before the record is fenced like one that comes after it.
func TestTheFirstVolumeIsRecorded(t *testing.T) {
	withVolumes(t, true, func(v *volumes) {
		v.board.Isolate(3) // before the first tick, so that nothing is recorded yet
		l := v.leader()
		wiped := v.members[2-l.id]
		v.propose(l, "one that the first volume has")
		v.stop(wiped)
		v.wipe(wiped)
		v.start(wiped)
		v.propose(l, "one that the second has too")
		v.board.Heal()
		v.until("the second volume is fenced", func() bool { return wiped.Fault() != nil })
		if f := wiped.Fault(); f.Kind != fault.VolumeLost {
			t.Errorf("the fault is %v", f)
		}
		v.propose(v.leader(), "the others go on")
	})
}

// What is recorded for a member never changes, whoever asks.
func TestAnotherVolumeIsNotRecorded(t *testing.T) {
	withVolumes(t, true, func(v *volumes) {
		v.recorded()
		_, err := tryAlter(v.leader(), membership.Change{Update: []protocol.Member{{ID: 2, Address: "2", Incarnation: 102}}}, time.Second)
		if err == nil {
			t.Error("another volume was recorded for member 2")
		}
	})
}
