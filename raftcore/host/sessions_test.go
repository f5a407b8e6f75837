package host_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

func (g *group) openSession(m *member) *host.Session {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := m.OpenSession(ctx)
	if err != nil {
		g.t.Fatalf("opening a session on member %d: %v", m.id, err)
	}
	return s
}

func inSession(m *member, client, serial uint64, payload string) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := m.ProposeInSession(ctx, client, serial, []byte(payload))
	return r.Value, err
}

func (g *group) mustGet(m *member, client, serial uint64, payload string, want any) {
	g.t.Helper()
	if got, err := inSession(m, client, serial, payload); got != want || err != nil {
		g.t.Errorf("command %d of client %d on member %d: got %v, %v, want %v", serial, client, m.id, got, err, want)
	}
}

func (g *group) mustRefuse(m *member, client, serial uint64, want error) {
	g.t.Helper()
	if got, err := inSession(m, client, serial, "refused"); !errors.Is(err, want) {
		g.t.Errorf("command %d of client %d on member %d: got %v, %v, want %v", serial, client, m.id, got, err, want)
	}
}

// A command in a session takes effect once, whichever members it is sent to, and each
// answers with the first answer.
func TestSessionExactlyOnce(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		s := g.openSession(g.follower())
		for _, m := range g.members {
			g.mustGet(m, s.Client(), 1, "one", 1)
		}
		g.mustRefuse(g.leader(), s.Client(), 3, host.ErrSessionGap)
		g.mustGet(g.follower(), s.Client(), 2, "two", 2)
		g.mustRefuse(g.leader(), s.Client(), 1, host.ErrSessionStale)
		g.mustRefuse(g.leader(), s.Client()+100, 1, host.ErrSessionExpired)
		g.mustRefuse(g.leader(), 0, 1, host.ErrSessionExpired)
		other := g.openSession(g.leader())
		g.mustGet(g.leader(), other.Client(), 1, "three", 3)
		g.mustGet(g.leader(), s.Client(), 2, "two", 2)
		for _, m := range g.members {
			g.until("it has three entries", func() bool { return len(m.ledger.all()) == 3 })
		}
	})
}

// Both kinds of state machines that take sessions.
var keeping = map[string]func() func(*host.Options){
	"memory": func() func(*host.Options) { return func(*host.Options) {} },
	"files": func() func(*host.Options) {
		disks := map[protocol.MemberID]*ledgerDisk{}
		return func(o *host.Options) { keepingly(o, disks) }
	},
}

// The sessions survive restarts, from the log and from snapshots, and reach laggards in
// snapshots.
func TestSessionsSurvive(t *testing.T) {
	for name, kind := range keeping {
		t.Run(name, func(t *testing.T) {
			machines := kind()
			change := func(o *host.Options) {
				machines(o)
				o.SnapshotEntries, o.KeepEntries, o.SessionTimeout = 20, 5, time.Hour
			}
			bubble(t, 3, change, func(g *group) {
				old, lag := g.openSession(g.leader()), g.follower()
				g.mustGet(g.leader(), old.Client(), 1, "first", 1)
				g.board.Isolate(lag.id)
				recent := g.openSession(g.leader())
				for i := range 50 {
					g.mustGet(g.leader(), recent.Client(), uint64(i+1), fmt.Sprint(i), i+2)
				}
				g.until("the log is compacted", func() bool { return g.leader().log.State().Base.Index > 20 })
				g.board.Heal()
				g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == 51 })
				if lag.log.State().Base.Index == 0 {
					t.Error("the laggard's log begins at 1: no snapshot was installed")
				}
				for range 2 {
					for _, m := range g.members {
						g.restart(m)
					}
					g.leader()
					for _, m := range g.members {
						g.mustGet(m, old.Client(), 1, "first", 1)
						g.mustGet(m, recent.Client(), 50, "49", 51)
					}
				}
				g.sameSessions()
			})
		})
	}
}

// sameSessions demands that all members that have applied the same know the same.
func (g *group) sameSessions() {
	g.t.Helper()
	g.until("all have applied the same", g.allApplied)
	for _, m := range g.members[1:] {
		if d := cmp.Diff(g.members[0].Sessions(), m.Sessions()); d != "" {
			g.t.Errorf("member %d has other sessions than member 1: %s", m.id, d)
		}
	}
}

func (g *group) allApplied() bool {
	for _, m := range g.members {
		if m.Applied() != g.leader().Status().Last.Index {
			return false
		}
	}
	return true
}

// A session that nobody uses expires; one that its host keeps alive does not, until that
// host ends.
func TestSessionExpires(t *testing.T) {
	few := func(o *host.Options) { o.SessionTimeout = 6 * time.Second }
	bubble(t, 3, few, func(g *group) {
		idle, kept := g.openSession(g.follower()), g.openSession(g.follower())
		idle.Release()
		g.mustGet(g.leader(), idle.Client(), 1, "in time", 1)
		time.Sleep(5 * time.Second)
		g.mustGet(g.leader(), idle.Client(), 1, "in time", 1)
		time.Sleep(8 * time.Second)
		g.mustRefuse(g.leader(), idle.Client(), 1, host.ErrSessionExpired)
		if _, err := idle.Propose(context.Background(), []byte("late")); !errors.Is(err, host.ErrSessionExpired) {
			t.Errorf("an expired session gives %v", err)
		}
		for range 5 {
			time.Sleep(10 * time.Second)
			if got := len(g.leader().Sessions().Sessions); got != 1 {
				t.Fatalf("there are %d sessions, want the one that is kept alive", got)
			}
		}
		if err := kept.Close(context.Background()); err != nil {
			t.Error(err)
		}
		g.mustRefuse(g.leader(), kept.Client(), 1, host.ErrSessionExpired)
		before := g.leader().Status().Last
		time.Sleep(time.Minute)
		if after := g.leader().Status().Last; after != before {
			t.Errorf("without sessions the log grew from %+v to %+v", before, after)
		}
		g.openSession(g.follower())
		for _, m := range g.members {
			g.restart(m)
		}
		g.leader()
		time.Sleep(20 * time.Second)
		if got := len(g.leader().Sessions().Sessions); got != 0 {
			t.Errorf("%d sessions are left of a host that has ended", got)
		}
	})
}

// expiryDiffers reports whether a member that applies late, and one that replays, know
// other sessions than the others.
func expiryDiffers(t *testing.T, bug mutation.Set) (differs bool) {
	change := func(o *host.Options) { o.SessionTimeout, o.Mutation = 6*time.Second, bug }
	bubble(t, 3, change, func(g *group) {
		for range 2 {
			g.openSession(g.leader())
		}
		lag := g.follower()
		g.openSession(g.leader()).Release()
		g.board.Isolate(lag.id)
		time.Sleep(7 * time.Second)
		g.board.Heal()
		g.restart(lag)
		g.until("all have applied the same", g.allApplied)
		for _, m := range g.members {
			differs = differs || !cmp.Equal(m.Sessions(), g.leader().Sessions())
		}
	})
	return differs
}

// Sessions expire by what is in the log: members that apply it at other times, or again, agree.
func TestSessionsExpireByTheLog(t *testing.T) {
	if expiryDiffers(t, 0) {
		t.Error("the members know different sessions")
	}
	if !expiryDiffers(t, mutation.ExpireByLocalClock) {
		t.Error("the test does not notice members that look at their own clocks")
	}
}

// When more sessions are opened than there may be, the one that was used least recently goes.
func TestMaxSessions(t *testing.T) {
	bubble(t, 3, func(o *host.Options) { o.MaxSessions = 2 }, func(g *group) {
		m := g.leader()
		a, b := g.openSession(m), g.openSession(m)
		g.mustGet(m, a.Client(), 1, "a", 1)
		c := g.openSession(m)
		g.mustRefuse(m, b.Client(), 1, host.ErrSessionExpired)
		g.mustGet(m, a.Client(), 2, "aa", 2)
		g.mustGet(m, c.Client(), 1, "c", 3)
	})
}

// A host that hears that one of its sessions has expired gives no more signs of its life.
func TestExpiredSessionsAreNotKeptAlive(t *testing.T) {
	one := func(o *host.Options) { o.MaxSessions, o.SessionTimeout = 1, 6*time.Second }
	bubble(t, 3, one, func(g *group) {
		m := g.leader()
		g.openSession(m) // expires when the next is opened
		if err := g.openSession(m).Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // a sign of life was given, and answered
		before := m.Status().Last
		time.Sleep(time.Minute)
		if after := m.Status().Last; after != before {
			t.Errorf("after its only session has expired the log grew from %+v to %+v", before, after)
		}
	})
}

// An answer that is too large is not kept: the command took effect, and whoever asks is told so.
func TestAnswerTooLarge(t *testing.T) {
	bubble(t, 3, func(o *host.Options) { o.MaxAnswerBytes = 1 }, func(g *group) {
		for i := range 9 {
			g.propose(g.leader(), fmt.Sprint(i))
		}
		s := g.openSession(g.follower())
		for range 2 {
			g.mustRefuse(g.leader(), s.Client(), 1, host.ErrAnswerTooLarge)
		}
		if n := len(g.leader().ledger.all()); n != 10 {
			t.Errorf("there are %d entries, want 10", n)
		}
	})
}

// One command of a session is in flight on a member. The next may come after a reply, after
// the client gave up, after the leader was lost, and after a refusal.
func TestSessionBusy(t *testing.T) {
	bubble(t, 3, func(o *host.Options) { o.MaxQueuedBytes = 300 }, func(g *group) {
		m := g.follower()
		s := g.openSession(m)
		free := func(after string) {
			t.Helper()
			if _, err := inSession(m, s.Client(), 99, "?"); !errors.Is(err, host.ErrSessionGap) {
				t.Errorf("after %s: %v", after, err)
			}
		}
		g.mustGet(m, s.Client(), 1, "x", 1)
		free("a reply")

		g.board.Isolate(m.id)
		g.givesUp(m, s.Client(), 2)
		g.board.Heal()
		free("the client gave up")

		done := make(chan error)
		go func() {
			_, err := inSession(m, s.Client(), 2, "y")
			done <- err
		}()
		l := g.leader()
		g.board.Isolate(l.id)
		if err := <-done; err != nil {
			g.until("the answer is there", func() bool { _, err := inSession(m, s.Client(), 2, "y"); return err == nil })
		}
		g.until("another leads", func() bool { return g.otherLeads(l) })
		free("the leader was lost")
		g.board.Heal()

		g.board.Isolate(m.id)
		g.overfilled(m, func() {
			if _, err := inSession(m, s.Client(), 3, "z"); err == nil {
				t.Error("a member that is alone answers")
			}
		})
		g.board.Heal()
		g.leader()
		free("a refusal")
	})
}

// givesUp lets a client give up its command of a session, which meanwhile takes no other.
func (g *group) givesUp(m *member, client, serial uint64) {
	g.t.Helper()
	ctx, giveUp := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := m.ProposeInSession(ctx, client, serial, []byte("y"))
		done <- err
	}()
	synctest.Wait()
	g.mustRefuse(m, client, serial, host.ErrSessionBusy)
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		g.t.Errorf("the client that gave up gets %v", err)
	}
}

// overfilled runs f while a member that is alone has more commands than it may queue, which are
// given up afterwards.
func (g *group) overfilled(m *member, f func()) {
	g.t.Helper()
	large := make([]byte, 400)
	blocked := make(chan error, 2)
	for range 2 {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_, err := m.Propose(ctx, large)
			blocked <- err
		}()
		synctest.Wait()
	}
	f()
	for range 2 {
		if err := <-blocked; err == nil {
			g.t.Error("a command that was given up has an answer")
		}
	}
}

// A client whose time ran out does not know what happened. Its next command comes after
// that one, which took effect once.
func TestSessionSeesThrough(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		m := g.leader()
		s := g.openSession(m)
		g.board.Isolate(m.id)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if _, err := s.Propose(ctx, []byte("first")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("alone, the leader gives %v", err)
		}
		cancel()
		ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
		if _, err := s.Propose(ctx, []byte("never sent")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("alone, the leader gives %v", err)
		}
		cancel()
		g.board.Heal()
		r, err := s.Propose(context.Background(), []byte("second"))
		if r.Value != 2 || err != nil {
			t.Errorf("got %v, %v", r.Value, err)
		}
		if d := cmp.Diff([]string{"first", "second"}, m.ledger.all()); d != "" {
			t.Error(d)
		}
	})
}

// plainMachine hides all but machine.StateMachine.
type plainMachine struct{ machine.StateMachine }

// A state machine that cannot keep answers gets no sessions, and its host says why.
func TestSessionsNeedTheStateMachine(t *testing.T) {
	disks := map[protocol.MemberID]*ledgerDisk{}
	for name, change := range map[string]func(*host.Options){
		"ResultCodec": func(o *host.Options) { o.Machine = plainMachine{o.Machine} },
		"Keeper":      func(o *host.Options) { durably(o, disks) },
	} {
		bubble(t, 1, change, func(g *group) {
			m := g.leader()
			if _, err := m.OpenSession(context.Background()); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("without %s: %v", name, err)
			}
			if _, err := inSession(m, 1, 1, "x"); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("without %s: %v", name, err)
			}
			g.propose(m, "x")
		})
	}
}
