package pauser_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// events lets a group of real hosts elect a leader and answer a command, one event at
// a time, and gives all that happened.
func events(t *testing.T) (log []string) {
	synctest.Test(t, func(t *testing.T) {
		p := pauser.Pauser{Settle: synctest.Wait}
		p.StopWhen(pauser.After(1))
		hosts := start(t, &p)
		until := func(c pauser.Condition) {
			for met := false; !met && !t.Failed(); {
				e, err := p.StepTo(t.Context(), pauser.After(1))
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, fmt.Sprintf("%d: %d %d>%d %T %T %+v", e.Kind, e.Member, e.Message.From, e.Message.To, e.Message.Body, e.Input, e.Group))
				if met = c(e); !met && len(log) == 5000 {
					t.Error("not reached in 5000 events")
				}
			}
		}
		until(pauser.HasLeader(pauser.Every))
		go hosts[0].Propose(context.WithoutCancel(t.Context()), []byte("x")) //nolint:errcheck // it is seen to be applied
		until(pauser.AppliedReaches(pauser.Every, 2))
	})
	return log
}

// With Settle a group of real hosts, for all its goroutines, does the same each time.
func TestSettledGroupsRepeatThemselves(t *testing.T) {
	want := events(t)
	for range 5 {
		if d := cmp.Diff(want, events(t)); d != "" {
			t.Fatalf("another run went another way (-first +this):\n%s", d)
		}
	}
	t.Logf("%d events", len(want))
}

// A step is one message, or one input, and nothing else happens beside it.
func TestAStepIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pauser.Pauser{Settle: synctest.Wait}
		p.StopWhen(pauser.Sends(protocol.KindVoteRequest, pauser.Any, pauser.Any))
		start(t, &p)
		e, err := p.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		voter := e.Message.To
		if _, err = p.StepTo(t.Context(), pauser.Arrives(protocol.KindVoteRequest, e.Member, voter)); err != nil {
			t.Fatal(err)
		}
		before := p.Look()
		if e, err = p.StepTo(t.Context(), func(e pauser.Event) bool { return e.Kind == pauser.Changed && e.Member == voter }); err != nil {
			t.Fatal(err)
		}
		for i, s := range p.Look() {
			if s.Member != voter && s != before[i] {
				t.Errorf("member %d went from %+v to %+v while member %d took a message", s.Member, before[i], s, voter)
			}
		}
		if e.Status.Term == before[voter-1].Term {
			t.Errorf("the request to vote left member %d in its term: %+v", voter, e.Status)
		}
		if e, err = p.StepTo(t.Context(), pauser.Takes[replica.Persisted](voter)); err != nil || e.Member != voter {
			t.Errorf("the vote was not made durable: %+v, %v", e, err)
		}
	})
}
