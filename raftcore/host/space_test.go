package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// roomyLog is a log that tells how full its disk is.
type roomyLog struct {
	*memlog.Log
	rooms *rooms
	id    protocol.MemberID
}

// rooms are the disks of a group.
type rooms struct {
	mu   sync.Mutex
	full map[protocol.MemberID]bool
}

func (r *rooms) set(full bool, ms ...*member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range ms {
		r.full[m.id] = full
	}
}

// Room implements storage.Space.
func (l roomyLog) Room() (storage.Room, error) {
	l.rooms.mu.Lock()
	defer l.rooms.mu.Unlock()
	r := storage.Room{Path: "/data/log", Free: 1 << 30, Need: 1 << 20}
	if l.rooms.full[l.id] {
		r.Free, r.Full = 1000, true
	}
	return r, nil
}

func roomy(t *testing.T, n int, f func(*group, *rooms)) {
	t.Helper()
	r := &rooms{full: map[protocol.MemberID]bool{}}
	bubble(t, n, func(o *host.Options) { o.Log = roomyLog{o.Log.(*memlog.Log), r, o.ID} }, func(g *group) { f(g, r) })
}

// A leader whose disk is full hands over to a member that has space, and the clients do not
// notice more than that.
func TestALeaderWithAFullDiskHandsOver(t *testing.T) {
	roomy(t, 3, func(g *group, r *rooms) {
		g.write(3)
		old := g.leader()
		r.set(true, old)
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		g.propose(g.leader(), "on the new leader")
		g.propose(old, "forwarded by the old one")
		if s := old.Status(); len(s.Ailments) != 1 || s.Ailments[0].Kind != fault.DiskFull || s.Fault != nil || s.Fitness != replica.Unfit {
			t.Errorf("ailments are %v, fault %v, %v", s.Ailments, s.Fault, s.Fitness)
		}
		r.set(false, old)
		g.until("it is over", func() bool { return len(old.Ailments()) == 0 })
		noted, over := old.reported.ailments()
		if !slices.Equal(noted, []fault.Kind{fault.DiskFull}) || !slices.Equal(over, noted) || len(old.reported.kinds()) > 0 {
			t.Errorf("noted %v, over %v, unrecoverable %v", noted, over, old.reported.kinds())
		}
	})
}

// When all disks are full somebody leads, refuses commands on whichever member they come, and
// serves reads; with space everything goes on.
func TestAllDisksFull(t *testing.T) {
	roomy(t, 3, func(g *group, r *rooms) {
		g.write(3)
		s, err := g.leader().OpenSession(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		r.set(true, g.members...)
		g.until("all know", func() bool {
			return !slices.ContainsFunc(g.members, func(m *member) bool { return len(m.Ailments()) == 0 })
		})
		l := g.leader()
		var full *host.DiskFullError
		_, err = tryPropose(l, "x", time.Second)
		if !errors.As(err, &full) || !errors.Is(err, host.ErrDiskFull) || !strings.Contains(err.Error(), "1000 bytes are free on the file system of /data/log, 1048576 must be") {
			t.Errorf("the leader gives %v", err)
		}
		for _, m := range g.members {
			if _, err := tryPropose(m, "x", 5*time.Second); !errors.Is(err, host.ErrDiskFull) {
				t.Errorf("member %d gives %v", m.id, err)
			}
			if err := barrier(m, time.Second); err != nil {
				t.Errorf("a read on member %d gives %v", m.id, err)
			}
		}
		if err := proposeInFullGroup(s); !errors.Is(err, host.ErrDiskFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a session on a full disk gives %v", err)
		}
		if err := l.Transfer(context.Background(), l.id%3+1); err != nil {
			t.Errorf("elections do not go on: %v", err)
		}
		r.set(false, g.members...)
		g.until("all is well", func() bool {
			return !slices.ContainsFunc(g.members, func(m *member) bool { return len(m.Ailments()) > 0 })
		})
		g.write(3)
		if got := g.leader().ledger.all(); len(got) != 6 {
			t.Errorf("applied are %q", got)
		}
	})
}

// proposeInFullGroup gives a session's command as long as a client would wait.
func proposeInFullGroup(s *host.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := s.Propose(ctx, []byte("in a session"))
	return err
}

// Real disks in memory run full: commands are refused, not one that was acknowledged is lost,
// and the group goes on when there is space, in the same process.
func TestDisksRunFullAndAreEmptied(t *testing.T) {
	rottingGroup(t, false, func(r *rotting) {
		acked := r.fill(5)
		for _, d := range r.disks {
			u, err := d.Usage(rotDir)
			if err != nil {
				t.Fatal(err)
			}
			d.SetCapacity(u.Total - u.Free + 40<<10)
		}
		var err error
		for i := 0; err == nil && i < 200; i++ {
			payload := fmt.Sprintf("%03d %s", i, strings.Repeat("x", 1000))
			if _, err = tryPropose(r.leader(), payload, 5*time.Second); err == nil {
				acked = append(acked, payload)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !errors.Is(err, host.ErrDiskFull) {
			t.Fatalf("after %d commands: %v", len(acked), err)
		}
		for _, m := range r.members {
			if err := barrier(m, time.Second); err != nil {
				t.Errorf("a read on member %d: %v", m.id, err)
			}
			if m.Fault() != nil {
				t.Errorf("member %d is fenced: %v", m.id, m.Fault())
			}
		}
		for _, d := range r.disks {
			d.SetCapacity(0)
		}
		r.until("all is well", func() bool {
			return !slices.ContainsFunc(r.members, func(m *member) bool { return len(m.Ailments()) > 0 })
		})
		r.propose(r.leader(), "goes on")
		r.reborn(func() {})
		r.until("all have all", func() bool {
			return !slices.ContainsFunc(r.members, func(m *member) bool { return len(m.ledger.all()) != len(acked)+1 })
		})
		if got := r.leader().ledger.all(); !slices.Equal(got[:len(acked)], acked) {
			t.Errorf("of %d acknowledged commands not all are there", len(acked))
		}
	})
}

// A snapshot arrives for which there is no space: the member does not fail, and takes it when
// there is.
func TestASnapshotWaitsForSpace(t *testing.T) {
	few := func(o *host.Options) { o.SnapshotEntries, o.KeepEntries = 10, 1 }
	tunedGroup(t, false, few, func(r *rotting) {
		r.fill(5)
		l, lag := r.leader(), r.follower()
		r.board.Isolate(lag.id)
		for i := range 30 {
			r.propose(l, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
		}
		u, err := r.disks[lag.id].Usage(rotDir)
		if err != nil {
			t.Fatal(err)
		}
		r.disks[lag.id].SetCapacity(u.Total - u.Free)
		r.board.Heal()
		time.Sleep(30 * time.Second)
		if len(lag.ledger.all()) >= 30 || lag.Fault() != nil || len(lag.Ailments()) == 0 {
			t.Fatalf("on its full disk the member has applied %d, fault %v, ailments %v", len(lag.ledger.all()), lag.Fault(), lag.Ailments())
		}
		r.disks[lag.id].SetCapacity(0)
		r.until("it has caught up", func() bool { return len(lag.ledger.all()) == 35 && len(lag.Ailments()) == 0 })
	})
}
