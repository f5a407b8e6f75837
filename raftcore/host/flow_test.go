package host_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
)

// took measures n commands of so many bytes on the simulated clock.
func (g *group) took(l *member, n, size int) time.Duration {
	g.t.Helper()
	start := time.Now()
	for i := range n {
		g.propose(l, fmt.Sprint(i, strings.Repeat("x", size)))
	}
	return time.Since(start)
}

// A follower that takes nothing costs the others nothing: commands take as long as before, and
// what waits for it is bounded by its window.
func TestBlackHoledFollowerCostsNothing(t *testing.T) {
	logs := map[protocol.MemberID]*slowLog{}
	const window, message, size = 20_000, 10_000, 1000
	narrow := func(o *host.Options) {
		slowLogs(logs)(o)
		o.MaxInflight, o.MaxInflightBytes, o.MaxMessageBytes = 100, window, message
	}
	for _, hole := range []string{"the network", "its disk"} {
		t.Run(hole, func(t *testing.T) {
			bubble(t, 3, narrow, func(g *group) {
				l, f := g.leader(), g.follower()
				for _, s := range logs {
					s.by.Store(int64(time.Millisecond))
				}
				before := g.took(l, 300, size)
				if hole == "its disk" {
					f.log.Hold()
				} else {
					g.board.Hold(l.id, f.id)
				}
				if with := g.took(l, 300, size); with != before {
					t.Errorf("300 commands took %v, with %s of one follower holding everything back %v", before, hole, with)
				}
				waiting := 0
				for _, m := range g.board.Held(l.id, f.id) {
					if a, ok := m.Body.(*protocol.AppendRequest); ok {
						waiting += protocol.Size(a.Entries)
					}
				}
				if waiting > window+message {
					t.Errorf("%d bytes wait for a follower with a window of %d", waiting, window)
				}
				for _, x := range l.Status().Followers {
					if x.InflightBytes > window+message {
						t.Errorf("member %d has %d bytes unanswered", x.ID, x.InflightBytes)
					}
				}
				f.log.Release()
				g.board.Flow(l.id, f.id)
				g.until("it has everything", func() bool { return len(f.ledger.all()) == 600 })
			})
		})
	}
}

// A state machine that is stuck gets no more than its bound, on a follower and on the leader,
// and a leader whose own is stuck says that it is overloaded.
func TestStuckStateMachine(t *testing.T) {
	const apply, queued, size = 10_000, 50_000, 1000
	holds := map[protocol.MemberID]chan struct{}{}
	bounded := func(o *host.Options) {
		o.MaxApplyBytes, o.MaxQueuedBytes, o.MaxTailBytes = apply, queued, 20_000
		holds[o.ID] = make(chan struct{})
		o.Machine.(*ledger).held = holds[o.ID]
	}
	bubble(t, 3, bounded, func(g *group) {
		l, f := g.leader(), g.follower()
		for _, m := range g.members {
			if m != f {
				close(holds[m.id])
			}
		}
		g.took(l, 200, size)
		g.until("it is all committed at the follower", func() bool { return f.Status().Commit == l.Status().Commit })
		s := f.Status()
		if _, _, waiting := f.Queued(); waiting > apply || s.Handed-s.Status.Applied > apply/size+1 {
			t.Errorf("%d bytes, %d entries wait for a state machine that may have %d bytes", waiting, s.Handed-s.Status.Applied, apply)
		}
		close(holds[f.id])
		g.until("it has everything", func() bool { return len(f.ledger.all()) == 200 })
	})
	bubble(t, 3, bounded, func(g *group) {
		l := g.leader()
		for _, m := range g.members {
			if m != l {
				close(holds[m.id])
			}
		}
		var refused atomic.Int32
		for i := range 200 {
			go func() {
				if _, err := tryPropose(g.members[l.id%3], fmt.Sprint(i, strings.Repeat("x", size)), time.Minute); errors.Is(err, host.ErrOverloaded) {
					refused.Add(1)
				}
			}()
			if i%20 == 19 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if taken := int(l.Status().Last.Index); taken > queued/size+2 || refused.Load() < 200-int32(queued/size)-2 {
			t.Errorf("a leader whose state machine is stuck has %d entries, of %d bytes at most; %d commands were refused", taken, queued, refused.Load())
		}
		close(holds[l.id])
		g.until("what was taken is done", func() bool { return len(l.ledger.all()) == 200-int(refused.Load()) })
	})
}

// Under overload everything that waits stays within the bounds of doc.go: hanging disks, and
// more clients on every member than can be served.
func TestQueuesAreBoundedUnderOverload(t *testing.T) {
	const queued, size = 100_000, 2000
	small := func(o *host.Options) { o.MaxQueuedBytes, o.MaxTailBytes = queued, 10_000 }
	bubble(t, 3, small, func(g *group) {
		l := g.leader()
		for _, m := range g.members {
			m.log.Hold()
		}
		var refused, done atomic.Int32
		for i := range 600 {
			go func() {
				switch _, err := tryPropose(g.members[i%3], fmt.Sprint(i, strings.Repeat("x", size)), 2*time.Minute); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, host.ErrOverloaded):
					refused.Add(1)
				}
			}()
		}
		for range 100 {
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			for _, m := range g.members {
				if inbox, gate, apply := m.Queued(); inbox > 2*queued || gate > 8<<20 || apply > 32<<20 {
					t.Fatalf("member %d: %d bytes wait for the loop, %d for the disk, %d to be applied", m.id, inbox, gate, apply)
				}
			}
		}
		if n := int(l.Status().Last.Index) * size; n > queued+2*size {
			t.Errorf("the leader took %d bytes, %d at most are allowed", n, queued)
		}
		if refused.Load() < 600-3*queued/size {
			t.Errorf("%d of 600 commands were refused; there is room for %d", refused.Load(), 3*queued/size)
		}
		for _, m := range g.members {
			m.log.Release()
		}
		g.until("the others are done", func() bool { return done.Load()+refused.Load() == 600 })
		if done.Load() == 0 {
			t.Error("nothing was done")
		}
	})
}
