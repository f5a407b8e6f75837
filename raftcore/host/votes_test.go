package host_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// slowVotes are vote slots on a disk that can be made to hang.
type slowVotes struct {
	*memlog.Votes
	gate atomic.Pointer[chan struct{}] // Save waits until it is closed; nil: the disk works
}

func (v *slowVotes) Save(s protocol.HardState) error {
	if gate := v.gate.Load(); gate != nil {
		<-*gate
	}
	return v.Votes.Save(s)
}

func (v *slowVotes) hang() {
	gate := make(chan struct{})
	v.gate.Store(&gate)
}

func (v *slowVotes) work() { close(*v.gate.Swap(nil)) }

// slowVoters gives every member of a group such slots.
func slowVoters(slots map[protocol.MemberID]*slowVotes) func(*host.Options) {
	return func(o *host.Options) {
		slots[o.ID] = &slowVotes{Votes: o.Votes.(*memlog.Votes)}
		o.Votes = slots[o.ID]
	}
}

// A vote that is not on disk does not leave, neither the one for another nor the
// candidate's own: a member that voted, crashed and voted again would make two leaders
// of one term.
func TestVoteLeavesWhenItIsDurable(t *testing.T) {
	for _, c := range []struct {
		name string
		hang func(voter, candidate *slowVotes)
		work func(voter, candidate *slowVotes)
	}{
		{"the voter's disk hangs", func(v, _ *slowVotes) { v.hang() }, func(v, _ *slowVotes) { v.work() }},
		{"the candidate's disk hangs", func(_, c *slowVotes) { c.hang() }, func(_, c *slowVotes) { c.work() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			slots := map[protocol.MemberID]*slowVotes{}
			bubble(t, 3, slowVoters(slots), func(g *group) {
				old := g.leader()
				g.propose(old, "before")
				candidate, voter := g.members[old.id%3], g.members[(old.id+1)%3]
				// The voter never stands itself: it hears no leader, but nobody hears it ask.
				g.board.DropIf(func(m protocol.Message) bool {
					return m.From == voter.id && (m.Body.Kind() == protocol.KindPreVoteRequest || m.Body.Kind() == protocol.KindVoteRequest)
				})
				c.hang(slots[voter.id], slots[candidate.id])
				g.board.Cut(old.id, candidate.id)
				g.board.Cut(old.id, voter.id)
				g.board.Cut(candidate.id, old.id)
				g.board.Cut(voter.id, old.id)
				time.Sleep(10 * time.Second) // several election timeouts on the simulated clock
				synctest.Wait()
				if candidate.State().Role == replica.Leader || voter.State().Role == replica.Leader {
					t.Error("a member leads by a vote that is not on disk")
				}
				c.work(slots[voter.id], slots[candidate.id])
				g.until("one of them leads", func() bool {
					return candidate.State().Role == replica.Leader || voter.State().Role == replica.Leader
				})
				g.board.Heal()
			})
		})
	}
}

// An acknowledgement of entries that came with a new term waits for the term, too.
func TestAcknowledgementWaitsForTheTerm(t *testing.T) {
	slots := map[protocol.MemberID]*slowVotes{}
	bubble(t, 3, slowVoters(slots), func(g *group) {
		old := g.leader()
		g.propose(old, "before")
		next, slow := g.members[old.id%3], g.members[(old.id+1)%3]
		slots[slow.id].hang()
		if err := old.Transfer(g.t.Context(), next.id); err != nil {
			t.Fatal(err)
		}
		g.until("the next one leads", func() bool { return next.State().Role == replica.Leader })
		g.board.Isolate(old.id)
		done := make(chan error, 1)
		go func() { _, err := tryPropose(next, "after", 30*time.Second); done <- err }()
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("acknowledged by a member whose term is not on disk: %v", err)
		default:
		}
		g.board.Heal()
		slots[slow.id].work()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A leader whose disk hangs resigns, though its heartbeats would go on, and the group
// works under another one. When the disk works again, nothing is missing.
func TestLeaderWithoutADiskResigns(t *testing.T) {
	slots := map[protocol.MemberID]*slowVotes{}
	bubble(t, 3, slowVoters(slots), func(g *group) {
		old := g.leader()
		g.propose(old, "before")
		time.Sleep(10 * time.Second) // a disk that has nothing to do makes no progress either
		synctest.Wait()
		if old.State().Role != replica.Leader {
			t.Fatal("an idle leader has resigned")
		}
		old.log.Hold()
		slots[old.id].hang()
		start := time.Now()
		done := make(chan error, 1)
		go func() { _, err := tryPropose(old, "meanwhile", time.Minute); done <- err }()
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("that took %v", took)
		}
		for _, m := range g.members {
			if m != old && m.State().Role == replica.Leader {
				g.propose(m, "after")
			}
		}
		slots[old.id].work()
		old.log.Release()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, m := range g.members {
			g.until("it has everything", func() bool { return len(m.ledger.all()) == 3 })
		}
	})
}
