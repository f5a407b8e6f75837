package host_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func leased(o *host.Options) { o.LeaseReads = true }

// A leader with a lease answers reads without a message, its own and its followers', and only
// as long as it is sure that nobody else leads.
func TestLeaseReads(t *testing.T) {
	bubble(t, 3, leased, func(g *group) {
		l, f := g.leader(), g.follower()
		g.propose(l, "first")
		time.Sleep(electionTimeout + 7*time.Millisecond) // between two ticks
		var asked atomic.Int32
		g.board.DropIf(func(m protocol.Message) bool {
			if m.Body.Kind() == protocol.KindAppendRequest {
				asked.Add(1)
			}
			return false
		})
		for range 100 {
			if err := barrier(l, time.Second); err != nil {
				t.Fatal(err)
			}
			if err := barrier(f, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests were sent for 200 reads", n)
		}
		if got := len(f.ledger.all()); got != 1 {
			t.Errorf("behind its barrier a follower has %d entries", got)
		}
		g.board.Isolate(l.id)
		start := time.Now()
		for barrier(l, time.Millisecond) == nil {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(start); took < electionTimeout/2 || took > electionTimeout*9/10 {
			t.Errorf("cut off, it answered reads for %v; its lease is about 0.8 s", took)
		}
		if g.otherLeads(l) {
			t.Error("another one led while its lease was on")
		}
	})
}

// sleeper holds a member's loop up before a step, as a machine that stalls does.
type sleeper struct {
	next atomic.Int64 // time.Duration
}

func (s *sleeper) BeforeStep(replica.Input) {
	if d := s.next.Swap(0); d > 0 {
		time.Sleep(time.Duration(d))
	}
}
func (*sleeper) AfterStep(replica.Input, *replica.Effects, replica.Status) {}
func (*sleeper) Applied(protocol.EntryID)                                  {}
func (*sleeper) Closed()                                                   {}

// A leader that was held up answers nothing from a lease that is over: it looks at the clock
// before it answers what came meanwhile.
func TestStalledLeaderHasNoLease(t *testing.T) {
	for stall := electionTimeout / 2; stall < 6*electionTimeout; stall += electionTimeout / 3 {
		t.Run(fmt.Sprint(stall), func(t *testing.T) {
			sleepers := map[protocol.MemberID]*sleeper{}
			change := func(o *host.Options) {
				leased(o)
				sleepers[o.ID] = &sleeper{}
				o.Observer = sleepers[o.ID]
			}
			bubble(t, 3, change, func(g *group) {
				old := g.leader()
				g.propose(old, "before")
				time.Sleep(electionTimeout)
				sleepers[old.id].next.Store(int64(stall))
				writes := 1
				for began := time.Now(); time.Since(began) < stall-20*time.Millisecond; time.Sleep(10 * time.Millisecond) {
					if l := g.leaderBut(old); l != nil {
						g.propose(l, "meanwhile")
						writes++
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), 20*electionTimeout)
				defer cancel()
				if err := old.ReadBarrier(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				if got := len(old.ledger.all()); got < writes {
					t.Errorf("behind its barrier it has %d entries of %d that were acknowledged before", got, writes)
				}
				synctest.Wait()
			})
		})
	}
}

// A killed leader is replaced, though its followers keep their promise first.
func TestLeaseDelaysTheNextLeader(t *testing.T) {
	bubble(t, 3, leased, func(g *group) {
		old := g.leader()
		g.propose(old, "before")
		time.Sleep(electionTimeout)
		start := time.Now()
		old.Close() //nolint:errcheck // its end is what counts
		g.until("another one leads", func() bool { return g.otherLeadsBut(old) })
		if took := time.Since(start); took < electionTimeout*8/10 || took > electionTimeout*3/2 {
			t.Errorf("the next leader came after %v", took)
		}
	})
}
