package host_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
)

// stuckVotes is on a disk that hangs, once it is told to, and then fails.
type stuckVotes struct {
	*memlog.Votes
	stuck atomic.Pointer[chan struct{}]
}

func (v *stuckVotes) Save(s protocol.HardState) error {
	if stuck := v.stuck.Load(); stuck != nil {
		<-*stuck
		return errDisk
	}
	return v.Votes.Save(s)
}

// When a term could not be saved, the entries of that term that waited behind it are not
// written: a log that ends in a term that is not saved could not be started any more.
func TestNothingIsWrittenBehindAFailedVote(t *testing.T) {
	votes := map[protocol.MemberID]*stuckVotes{}
	change := func(o *host.Options) {
		votes[o.ID] = &stuckVotes{Votes: o.Votes.(*memlog.Votes)}
		o.Votes = votes[o.ID]
	}
	bubble(t, 3, change, func(g *group) {
		m := g.follower()
		g.propose(g.leader(), "before")
		g.until("it is applied", func() bool { return len(m.ledger.all()) == 1 })
		before := m.Status()
		stuck := make(chan struct{})
		votes[m.id].stuck.Store(&stuck)
		later := before.Term + 5
		g.forge(m, protocol.Message{Term: later, Body: &protocol.AppendRequest{}})
		synctest.Wait()
		g.forge(m, protocol.Message{Term: later, Body: &protocol.AppendRequest{Prev: before.Last, Entries: []protocol.Entry{
			{Index: before.Last.Index + 1, Term: later, Kind: protocol.EntryNoOp},
		}}})
		synctest.Wait()
		close(stuck)
		g.until("it is fenced", func() bool { return m.Fault() != nil })
		synctest.Wait()
		if f := m.Fault(); f.Kind != fault.FsyncFailed {
			t.Errorf("fenced by %v", f)
		}
		if st := m.log.State(); st.Last != before.Last.Index {
			t.Errorf("the log has entries up to %d, want %d", st.Last, before.Last.Index)
		}
		g.restart(m)
		g.propose(g.leader(), "after")
		g.until("it has everything", func() bool { return len(m.ledger.all()) == 2 })
	})
}
