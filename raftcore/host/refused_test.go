package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// leads hands leadership to a member.
func (g *group) leads(m *member) {
	g.t.Helper()
	if l := g.leader(); l != m {
		if err := l.Transfer(g.t.Context(), m.id); err != nil {
			g.t.Fatal(err)
		}
	}
	g.until("it leads and everybody knows", func() bool {
		for _, x := range g.members {
			if x.State().Leader != m.id {
				return false
			}
		}
		return m.State().Role == replica.Leader
	})
}

// proposing starts a proposal and gives where its error comes to.
func proposing(m *member, payload string) <-chan error {
	done := make(chan error, 1)
	go func() { _, err := tryPropose(m, payload, time.Minute); done <- err }()
	synctest.Wait()
	return done
}

// What a leader cannot take of a follower's commands is answered at once, at the follower:
// nobody waits for a timeout.
func TestForwardThatIsRefusedIsAnswered(t *testing.T) {
	small := func(o *host.Options) {
		if o.ID == 1 {
			o.MaxQueuedBytes = 1000
		}
	}
	bubble(t, 3, small, func(g *group) {
		l, f := g.members[0], g.members[1]
		g.leads(l)
		for _, m := range g.members {
			m.log.Hold()
		}
		start := time.Now()
		var all []<-chan error
		for i := range 6 {
			all = append(all, proposing(f, fmt.Sprint(i, strings.Repeat("x", 300))))
		}
		time.Sleep(100 * time.Millisecond)
		refused := 0
		for _, done := range all[:6] {
			select {
			case err := <-done:
				if !errors.Is(err, host.ErrOverloaded) {
					t.Errorf("refused with %v", err)
				}
				refused++
			default:
			}
		}
		if took := time.Since(start); refused < 3 || refused == 6 || took > time.Second {
			t.Errorf("%d of 6 commands were refused within %v; the leader has room for one to three", refused, took)
		}
		for _, m := range g.members {
			m.log.Release()
		}
		g.until("the others are done", func() bool { return len(f.ledger.all()) == 6-refused })
	})
}

// A command that comes while the leader hands over is held at the follower and proposed to
// the next leader: it is one command, and its client needs not ask again.
func TestForwardDuringATransferIsProposedAgain(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l, f, next := g.members[0], g.members[1], g.members[2]
		g.leads(l)
		g.board.DropIf(func(m protocol.Message) bool { return m.Body.Kind() == protocol.KindTimeoutNow })
		go l.Transfer(g.t.Context(), next.id) //nolint:errcheck // the command below is what counts
		time.Sleep(50 * time.Millisecond)
		done := proposing(f, "meanwhile")
		time.Sleep(100 * time.Millisecond)
		g.board.DropIf(nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
		g.until("all have it once", func() bool {
			for _, m := range g.members {
				if len(m.ledger.all()) != 1 {
					return false
				}
			}
			return true
		})
	})
}

// A serial group takes one command at a time, whichever members are asked, and the next one
// as soon as a client has its answer.
func TestSerialGroup(t *testing.T) {
	serial := func(o *host.Options) { o.Serial = true }
	bubble(t, 3, serial, func(g *group) {
		held := make(chan struct{})
		l, f := g.members[0], g.members[1]
		l.ledger.held = held
		g.leads(l)
		first := proposing(l, "first")
		for _, m := range []*member{l, f} {
			if _, err := tryPropose(m, "second", time.Second); !errors.Is(err, host.ErrInFlight) {
				t.Errorf("member %d answers %v while another command is in flight", m.id, err)
			}
		}
		close(held)
		if err := <-first; err != nil {
			t.Error(err)
		}
		for i := range 50 {
			g.propose(l, fmt.Sprint(i)) // never refused: the answer comes when the way is free
		}
		if n := len(l.ledger.all()); n != 51 {
			t.Errorf("%d commands were applied, want 51", n)
		}
	})
}
