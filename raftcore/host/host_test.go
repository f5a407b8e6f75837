package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Every member takes commands, answers with the state machine's result, and all apply
// the same in the same order.
func TestAnyMemberTakesCommands(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		g.leader()
		var want []string
		for i, m := range g.members {
			want = append(want, fmt.Sprintf("by %d", m.id))
			r, err := tryPropose(m, want[i], time.Second)
			if err != nil || r.Value != i+1 {
				t.Fatalf("member %d answers %v, %v", m.id, r, err)
			}
		}
		for _, m := range g.members {
			if err := barrier(m, time.Second); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, m.ledger.all()); d != "" {
				t.Errorf("member %d: %s", m.id, d)
			}
		}
	})
}

// A command that finds no leader waits for one, as long as its context allows.
func TestProposalWaitsForALeader(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		m := g.follower()
		g.board.Isolate(m.id)
		time.Sleep(5 * time.Second) // on the simulated clock: it has lost its leader by now
		if _, err := tryPropose(m, "lost", time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a cut off member answers %v", err)
		}
		done := make(chan error)
		go func() { _, err := tryPropose(m, "patient", 20*time.Second); done <- err }()
		time.Sleep(time.Second)
		g.board.Heal()
		if err := <-done; err != nil {
			t.Fatalf("after the cut was healed: %v", err)
		}
		if got := m.ledger.all(); !slices.Equal(got, []string{"patient"}) {
			t.Errorf("applied %q; a command that was given up must not be proposed later", got)
		}
	})
}

// A read barrier lets nothing stale through, neither on a follower nor on a leader that
// was cut off.
func TestReadBarrier(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old := g.leader()
		for i := range 20 {
			g.propose(old, fmt.Sprint(i))
			for _, m := range g.members {
				if err := barrier(m, time.Second); err != nil {
					t.Fatal(err)
				}
				if got := len(m.ledger.all()); got != i+1 {
					t.Fatalf("member %d has %d entries behind its barrier, want %d", m.id, got, i+1)
				}
			}
		}
		g.board.Isolate(old.id)
		if err := barrier(old, 3*time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a leader that is cut off confirms a read: %v", err)
		}
	})
}

// What is not durable on a majority is not acknowledged.
func TestAcknowledgedMeansDurable(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l := g.leader()
		g.propose(l, "first")
		for _, m := range g.members {
			if m != l {
				m.log.Hold()
			}
		}
		done := make(chan error, 1)
		go func() { _, err := tryPropose(l, "second", 30*time.Second); done <- err }()
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("acknowledged with two disks that hang: %v", err)
		default:
		}
		g.members[l.id%3].log.Release()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		g.members[(l.id+1)%3].log.Release()
	})
}

// Members that all end and come back have everything.
func TestAllRestart(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l := g.leader()
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprint(i))
			g.propose(l, want[i])
		}
		for _, m := range g.members {
			g.restart(m)
		}
		g.propose(g.leader(), "after")
		for _, m := range g.members {
			g.until("it has everything", func() bool { return len(m.ledger.all()) == 51 })
			if d := cmp.Diff(append(slices.Clone(want), "after"), m.ledger.all()); d != "" {
				t.Errorf("member %d: %s", m.id, d)
			}
		}
	})
}

// A follower that missed what was compacted gets a snapshot, in chunks, and then the
// rest; also when it is restarted afterwards.
func TestSnapshotForALaggard(t *testing.T) {
	few := func(o *host.Options) { o.SnapshotEntries, o.KeepEntries = 20, 5 }
	bubble(t, 3, few, func(g *group) {
		l, lag := g.leader(), g.follower()
		g.board.Isolate(lag.id)
		big := strings.Repeat("x", 100<<10) // more than one chunk in all
		for i := range 100 {
			g.propose(l, fmt.Sprint(i, big))
		}
		g.until("the log is compacted", func() bool { return l.log.State().Base.Index > 50 })
		g.board.Heal()
		g.until("the laggard has everything", func() bool { return len(lag.ledger.all()) == 100 })
		if lag.log.State().Base.Index == 0 {
			t.Error("the laggard's log begins at 1: no snapshot was installed")
		}
		g.propose(l, "more")
		g.restart(lag)
		g.until("it has everything again", func() bool { return len(lag.ledger.all()) == 101 })
		if d := cmp.Diff(l.ledger.all(), lag.ledger.all()); d != "" {
			t.Error(d)
		}
	})
}

// Leadership goes to another member when it is asked to, and commands go on.
func TestTransfer(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old := g.leader()
		to := g.members[old.id%3]
		if err := old.Transfer(g.t.Context(), to.id); err != nil {
			t.Fatal(err)
		}
		if l := g.leader(); l != to {
			t.Errorf("member %d leads, want %d", l.id, to.id)
		}
		g.propose(old, "after")
	})
}

// What was lost with a leader is proposed again under the next one, once: neither the
// client's patience nor its command is lost, and nothing is applied twice.
func TestLostWithTheLeader(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old := g.leader()
		m := g.follower()
		g.propose(m, "first")
		// What the follower forwards does not arrive any more, nor does anything the leader
		// has taken itself get out.
		g.board.DropIf(func(x protocol.Message) bool { return x.Body.Kind() == protocol.KindForward })
		done := make(chan error, 10)
		for i := range 5 {
			go func() { _, err := tryPropose(m, fmt.Sprint("forwarded", i), 10*time.Second); done <- err }()
		}
		synctest.Wait()
		g.board.Heal()
		g.board.Isolate(old.id)
		for i := range 5 {
			go func() { _, err := tryPropose(old, fmt.Sprint("local", i), 10*time.Second); done <- err }()
		}
		g.until("another one leads", func() bool { return g.otherLeads(old) })
		g.board.Heal()
		for range 10 {
			if err := <-done; err != nil {
				t.Errorf("a command that was lost with its leader gets %v", err)
			}
		}
		for _, m := range g.members {
			g.until("it has everything", func() bool { return len(m.ledger.all()) >= 11 })
			got := m.ledger.all()
			slices.Sort(got)
			if len(slices.Compact(slices.Clone(got))) != len(got) || len(got) != 11 {
				t.Errorf("member %d applied %q", m.id, got)
			}
		}
	})
}

// A leader that is cut off resigns, and the others go on without it.
func TestCutOffLeaderResigns(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old := g.leader()
		g.propose(old, "before")
		g.board.Isolate(old.id)
		g.until("it does not lead", func() bool { return old.State().Role != replica.Leader })
		g.propose(g.leader(), "meanwhile")
		g.board.Heal()
		g.until("it has what it missed", func() bool { return len(old.ledger.all()) == 2 })
	})
}

// Commands that are too large or too many are refused, and nothing happens.
func TestRefusals(t *testing.T) {
	small := func(o *host.Options) { o.MaxCommandBytes, o.MaxQueuedBytes = 100, 1000 }
	bubble(t, 3, small, func(g *group) {
		l := g.leader()
		if _, err := tryPropose(l, strings.Repeat("x", 101), time.Second); !errors.Is(err, host.ErrTooLarge) {
			t.Errorf("101 bytes: %v", err)
		}
		for _, m := range g.members {
			m.log.Hold()
		}
		outcomes := make(chan error, 100)
		for range 100 {
			go func() { _, err := tryPropose(l, strings.Repeat("x", 90), 300*time.Millisecond); outcomes <- err }()
			synctest.Wait()
		}
		overloaded := 0
		for range 100 {
			if errors.Is(<-outcomes, host.ErrOverloaded) {
				overloaded++
			}
		}
		if overloaded < 50 {
			t.Errorf("%d of 100 commands were refused for overload", overloaded)
		}
		for _, m := range g.members {
			m.log.Release()
		}
		g.until("a command is taken again", func() bool { _, err := tryPropose(g.leader(), "y", time.Second); return err == nil })
	})
}

// Close lets everybody go.
func TestClose(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l := g.leader()
		for _, m := range g.members {
			m.log.Hold()
		}
		done := make(chan error, 2)
		go func() { _, err := tryPropose(l, "x", time.Hour); done <- err }()
		g.board.Isolate(l.id)
		go func() { done <- barrier(l, time.Hour) }()
		synctest.Wait()
		for _, m := range g.members {
			m.log.Release()
		}
		l.Close() //nolint:errcheck // judged by what the callers get
		for range 2 {
			if err := <-done; !errors.Is(err, host.ErrClosed) && err != nil {
				t.Errorf("a caller gets %v", err)
			}
		}
		if _, err := l.Propose(g.t.Context(), nil); !errors.Is(err, host.ErrClosed) {
			t.Errorf("a later proposal gets %v", err)
		}
		if err := l.ReadBarrier(g.t.Context()); !errors.Is(err, host.ErrClosed) {
			t.Errorf("a later read gets %v", err)
		}
		if s := l.Status(); s.ID != l.id {
			t.Errorf("the status of a closed member is %+v", s)
		}
	})
}

// One member alone is a cluster too.
func TestSingleMember(t *testing.T) {
	bubble(t, 1, nil, func(g *group) {
		m := g.leader()
		for i := range 10 {
			g.propose(m, fmt.Sprint(i))
		}
		g.restart(m)
		g.leader()
		if err := barrier(m, time.Second); err != nil {
			t.Fatal(err)
		}
		if got := len(m.ledger.all()); got != 10 {
			t.Errorf("%d entries after a restart, want 10", got)
		}
		if got := m.Applied(); got < protocol.Index(10) {
			t.Errorf("applied up to %d", got)
		}
	})
}

// However much waits for a leader, it is forwarded in messages that the transport takes.
func TestMuchWaitsForALeader(t *testing.T) {
	const message, payload, n = 10_000, 1000, 100
	small := func(o *host.Options) { o.MaxMessageBytes = message }
	bubble(t, 3, small, func(g *group) {
		m := g.follower()
		g.board.Isolate(m.id)
		time.Sleep(5 * time.Second) // it has lost its leader by now
		done := make(chan error, n)
		for i := range n {
			go func() { _, err := tryPropose(m, fmt.Sprint(i, strings.Repeat("x", payload)), time.Minute); done <- err }()
		}
		time.Sleep(time.Second)
		g.board.Heal()
		g.board.DropIf(func(x protocol.Message) bool {
			f, ok := x.Body.(*protocol.Forward)
			size := 0
			if ok {
				for _, p := range f.Payloads {
					size += len(p)
				}
			}
			return size > message
		})
		for range n {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
}
