package host_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
)

// The record of a Configuration rots: the member begins with the membership before it, and so
// it does not lead; once the record is repaired it knows the right one, and its snapshots tell it.
func TestADamagedConfigurationIsLearnedAgain(t *testing.T) {
	for _, durable := range []bool{false, true} { // a durable state has applied it before
		for _, bit := range []string{"payload", "kind"} {
			t.Run(fmt.Sprintf("%s, durable %v", bit, durable), func(t *testing.T) {
				rottingGroup(t, durable, func(r *rotting) { r.learnsAgain(bit) })
			})
		}
	}
}

func (r *rotting) learnsAgain(bit string) {
	t := r.t
	t.Helper()
	r.fill(3)
	change := membership.Change{Add: []protocol.Member{{ID: 9, Address: "9"}}}
	if _, err := tryAlter(r.leader(), change, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	want := r.fill(20)
	ill := r.follower()
	configurations := r.stores[ill.id].Log.State().Configurations
	if len(configurations) != 1 {
		t.Fatalf("configurations are %v", configurations)
	}
	r.reborn(func() {
		r.spoil(ill, configurations[0].Index, bits[bit])
		if d := r.durable[ill.id]; d != nil && d.last.Index < configurations[0].Index {
			t.Errorf("the durable state goes to %d only", d.last.Index)
		}
	})
	if _, knows := ill.Membership().Find(9); knows {
		t.Fatal("the damaged configuration is known: the test does not test")
	}
	r.expectHealed(ill, want)
	if _, knows := ill.Membership().Find(9); !knows {
		t.Errorf("after the repair the membership is %+v", ill.Membership())
	}
	if _, err := ill.FreshSnapshot(); err != nil {
		t.Fatal(err)
	}
	meta, ok, err := r.stores[ill.id].Snapshots.Latest()
	if _, knows := meta.Membership.Find(9); !knows || !ok || err != nil {
		t.Errorf("a snapshot tells the membership %+v, %v, %v", meta.Membership, ok, err)
	}
}

// While the record of a Configuration is damaged, a durable state that goes on is not followed
// by a base: the replica would take what it is told of that Configuration later for one that
// its log has forgotten, and stay with the membership before it.
func TestNoSnapshotIsTakenWhileDamaged(t *testing.T) {
	var hasty protocol.MemberID // the others keep what it must get
	tunedGroup(t, true, func(o *host.Options) {
		if o.ID == hasty {
			o.KeepEntries = 1
		}
	}, func(r *rotting) {
		r.fill(3)
		change := membership.Change{Add: []protocol.Member{{ID: 9, Address: "9"}}}
		if _, err := tryAlter(r.leader(), change, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		r.fill(20) // so that the durable state has applied it
		ill := r.follower()
		hasty = ill.id
		at := r.stores[ill.id].Log.State().Configurations[0].Index
		r.board.DropIf(func(m protocol.Message) bool {
			return m.To == ill.id && m.Body.Kind() == protocol.KindRepairResponse
		})
		r.reborn(func() { r.spoil(ill, at, bits["payload"]) })
		want := r.fill(40)
		if base := ill.Status().Base.Index; base >= at || len(r.stores[ill.id].Log.Damaged()) == 0 {
			t.Errorf("with entry %d damaged the base is %d", at, base)
		}
		r.board.DropIf(nil)
		r.expectHealed(ill, want)
		if _, knows := ill.Membership().Find(9); !knows {
			t.Errorf("after the repair the membership is %+v", ill.Membership())
		}
	})
}
