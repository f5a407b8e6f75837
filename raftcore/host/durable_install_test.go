package host_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
)

// hangingSync is a durableLedger on a disk that hangs, once it is told to, when the host asks for
// a sync.
type hangingSync struct {
	*durableLedger
	disk *hangingDisk
}

type hangingDisk struct {
	stuck atomic.Pointer[chan struct{}]
	waits atomic.Int32 // syncs
}

func (h hangingSync) Sync() (protocol.EntryID, error) {
	if stuck := h.disk.stuck.Load(); stuck != nil {
		h.disk.waits.Add(1)
		<-*stuck
		h.disk.waits.Add(-1)
	}
	return h.durableLedger.Sync()
}

// A sync that takes long ends when a snapshot that has arrived is restored already, but its base
// is not durable in the log yet. The sync covers the snapshot, which stays all the same: of the
// two, only the snapshot knows the membership. When the member crashes then, it starts with that.
func TestASyncLeavesTheSnapshotThatIsBeingInstalled(t *testing.T) {
	disks, hanging := map[protocol.MemberID]*ledgerDisk{}, map[protocol.MemberID]*hangingDisk{}
	change := func(o *host.Options) {
		durably(o, disks)
		if hanging[o.ID] == nil {
			hanging[o.ID] = &hangingDisk{}
		}
		o.Machine = hangingSync{o.Machine.(*durableLedger), hanging[o.ID]}
		o.SnapshotEntries, o.KeepEntries = 20, 5
	}
	bubble(t, 3, change, func(g *group) {
		l, lag, stuck := g.leader(), g.follower(), make(chan struct{})
		hanging[lag.id].stuck.Store(&stuck)
		total := 0
		g.until("the laggard syncs", func() bool {
			g.propose(l, fmt.Sprint(total))
			total++
			return hanging[lag.id].waits.Load() == 1
		})
		g.board.Isolate(lag.id)
		g.add(4)
		total += g.laggard(l, lag)
		before := lag.Applied()
		lag.log.Hold()
		g.board.Heal()
		g.until("the snapshot is restored", func() bool { return lag.Applied() > before })
		close(stuck)
		synctest.Wait() // the sync has ended
		g.board.Isolate(lag.id)
		left := lag.log.Reopen() // without what was held back
		if base := left.State().Base.Index; base >= lag.Applied() {
			t.Errorf("the base is durable at %d already: the test has no force", base)
		}
		lag.Close() //nolint:errcheck // it is dead
		lag.log = left
		g.start(lag)
		if _, knows := lag.Membership().Find(4); !knows {
			t.Errorf("the member has applied %d entries and goes by the membership %+v, without member 4", lag.Applied(), lag.Membership())
		}
		g.board.Heal()
		g.agree(1, 2, 3)
		g.mustCatchUp(lag, total)
	})
}
