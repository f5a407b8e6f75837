package host_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// electionTimeout is the default that these tests run with.
const electionTimeout = time.Second

// slowLog tells that a write is durable some time later.
type slowLog struct {
	storage.Log
	by atomic.Int64 // time.Duration
}

func (l *slowLog) Append(entries []protocol.Entry, done func(error)) {
	d := time.Duration(l.by.Load())
	l.Log.Append(entries, func(err error) {
		if d == 0 {
			done(err)
			return
		}
		time.AfterFunc(d, func() { done(err) })
	})
}

// slowLogs gives every member of a group such a log.
func slowLogs(logs map[protocol.MemberID]*slowLog) func(*host.Options) {
	return func(o *host.Options) {
		logs[o.ID] = &slowLog{Log: o.Log}
		o.Log = logs[o.ID]
	}
}

// A leader whose disk hangs does not lead any more within two election timeouts, whether its
// successor hears of it or not; ticks go on meanwhile, so the others keep to it until then.
func TestHungDiskCostsTheLeadershipInTime(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("TimeoutNow is lost: %v", deaf), func(t *testing.T) {
			bubble(t, 3, nil, func(g *group) {
				old := g.leader()
				g.propose(old, "before")
				if deaf {
					g.board.DropIf(func(m protocol.Message) bool { return m.Body.Kind() == protocol.KindTimeoutNow })
				}
				old.log.Hold()
				start := time.Now()
				done := proposing(old, "meanwhile")
				g.until("it does not lead", func() bool { return old.State().Role != replica.Leader })
				if took := time.Since(start); took > 2*electionTimeout {
					t.Errorf("it led for %v with a disk that hangs", took)
				}
				if d := old.DiskHealth(); d.State != host.DiskHung || d.Waiting == 0 {
					t.Errorf("its disk is %+v", d)
				}
				g.until("another one leads", func() bool { return g.otherLeads(old) })
				if took := time.Since(start); took > 3*electionTimeout {
					t.Errorf("there was no other leader for %v", took)
				}
				old.log.Release()
				if err := <-done; err != nil {
					t.Error(err)
				}
				g.until("its disk moves", func() bool { return old.Status().Disk.State == host.DiskSlow })
				time.Sleep(40 * electionTimeout)
				synctest.Wait()
				if s := old.Status(); s.Disk.State != host.DiskWell || s.Fitness != replica.Fit {
					t.Errorf("after a quiet time it is %v with a disk %+v", s.Fitness, s.Disk)
				}
			})
		})
	}
}

// A slow disk loses the leadership to one that is well, and is not given it back; when all
// are slow somebody leads all the same, and stays.
func TestSlowDiskStepsAside(t *testing.T) {
	logs := map[protocol.MemberID]*slowLog{}
	bubble(t, 3, slowLogs(logs), func(g *group) {
		old := g.leader()
		g.propose(old, "before")
		slow := int64(electionTimeout * 2 / 5)
		logs[old.id].by.Store(slow)
		for i := range 40 { // its followers commit without it, its clients wait for its disk
			go tryPropose(old, fmt.Sprint("slow ", i), time.Minute) //nolint:errcheck // they only make writes
			time.Sleep(electionTimeout / 5)
		}
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		if s := old.Status(); s.Disk.State != host.DiskSlow || s.Fitness != replica.Unfit || s.Disk.StepAsides != 1 {
			t.Errorf("it is %v with a disk %+v", s.Fitness, s.Disk)
		}
		for _, l := range logs {
			l.by.Store(slow)
		}
		moved := 0
		leader, term := g.leader(), g.leader().State().Term
		for i := range 200 {
			go tryPropose(g.leader(), fmt.Sprint("all are slow ", i), time.Minute) //nolint:errcheck // they only make writes
			time.Sleep(electionTimeout / 5)
			if l := g.leader(); l.State().Term != term {
				moved, leader, term = moved+1, l, l.State().Term
			}
		}
		if moved > 2 {
			t.Errorf("the leader moved %d times though all disks are slow", moved)
		}
		for _, l := range logs {
			l.by.Store(0)
		}
		g.propose(leader, "after")
	})
}

// A member of three whose disk is slow leads when the two others are gone and one is back that
// is slow, too: better than none.
func TestSlowGroupHasALeader(t *testing.T) {
	logs := map[protocol.MemberID]*slowLog{}
	bubble(t, 3, slowLogs(logs), func(g *group) {
		g.propose(g.leader(), "before")
		for _, l := range logs {
			l.by.Store(int64(electionTimeout * 2 / 5))
		}
		for i := range 60 {
			go tryPropose(g.leader(), fmt.Sprint(i), time.Minute) //nolint:errcheck // they only make writes
			time.Sleep(electionTimeout / 5)
		}
		g.until("all are known to be slow", func() bool {
			for _, m := range g.members {
				if m.Status().Disk.State != host.DiskSlow {
					return false
				}
			}
			return true
		})
		l := g.leader()
		start := time.Now()
		l.Close() //nolint:errcheck // its end is what counts
		g.until("another one leads", func() bool { return g.otherLeadsBut(l) })
		if took := time.Since(start); took > 8*electionTimeout {
			t.Errorf("a group of slow disks was without a leader for %v", took)
		}
		if _, err := tryPropose(g.leaderBut(l), "after", 10*time.Second); err != nil && !errors.Is(err, host.ErrUnknown) {
			t.Error(err)
		}
	})
}

func (g *group) leaderBut(not *member) *member {
	for _, m := range g.members {
		if m != not && m.State().Role == replica.Leader {
			return m
		}
	}
	return nil
}

func (g *group) otherLeadsBut(not *member) bool { return g.leaderBut(not) != nil }
