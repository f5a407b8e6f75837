package pauser

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func message(from, to protocol.MemberID, body protocol.Body) protocol.Message {
	return protocol.Message{From: from, To: to, Body: body}
}

func TestConditions(t *testing.T) {
	vote := Event{Kind: Sent, Member: 1, Message: message(1, 2, &protocol.VoteRequest{})}
	voteArrives := Event{Kind: Arrived, Member: 2, Message: vote.Message}
	leads := Event{Kind: Changed, Member: 3, Status: Status{Member: 3, Up: true, Role: replica.Leader, Last: 5, Commit: 4, Applied: 3}}
	down := Event{Kind: Changed, Member: 3, Status: Status{Member: 3, Role: replica.Leader}}
	tests := []struct {
		name      string
		condition Condition
		event     Event
		want      bool
	}{
		{"a message leaves", Sends(protocol.KindVoteRequest, 1, 2), vote, true},
		{"a message of any kind to anybody leaves", Sends(Any, Any, Any), vote, true},
		{"another kind leaves", Sends(protocol.KindAppendRequest, 1, 2), vote, false},
		{"another member sends", Sends(protocol.KindVoteRequest, 3, 2), vote, false},
		{"another member is sent to", Sends(protocol.KindVoteRequest, 1, 3), vote, false},
		{"leaving is not arriving", Arrives(protocol.KindVoteRequest, 1, 2), vote, false},
		{"a message arrives", Arrives(protocol.KindVoteRequest, Any, 2), voteArrives, true},
		{"a role is reached", Becomes(3, replica.Leader), leads, true},
		{"a role is reached by anybody", Becomes(Any, replica.Leader), leads, true},
		{"another role is reached", Becomes(3, replica.Candidate), leads, false},
		{"a member that is down has no role", Becomes(3, replica.Leader), down, false},
		{"the log reaches", LogReaches(3, 5), leads, true},
		{"the log does not reach", LogReaches(3, 6), leads, false},
		{"commit reaches", CommitReaches(3, 4), leads, true},
		{"commit does not reach", CommitReaches(3, 5), leads, false},
		{"applied reaches", AppliedReaches(3, 3), leads, true},
		{"applied does not reach", AppliedReaches(3, 4), leads, false},
		{"either", Either(LogReaches(3, 6), CommitReaches(3, 4)), leads, true},
		{"neither", Either(LogReaches(3, 6), CommitReaches(3, 5)), leads, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.condition(tt.event); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCountingConditions(t *testing.T) {
	after, twice := After(3), Times(2, Sends(Any, 1, Any))
	one, two := Event{Kind: Sent, Message: message(1, 3, &protocol.TimeoutNow{})}, Event{Kind: Sent, Message: message(2, 3, &protocol.TimeoutNow{})}
	var got [][2]bool
	for _, e := range []Event{two, one, two, one} {
		got = append(got, [2]bool{after(e), twice(e)})
	}
	if d := cmp.Diff([][2]bool{{false, false}, {false, false}, {true, false}, {true, true}}, got); d != "" {
		t.Errorf("After(3) and Times(2, from 1) (-want +got):\n%s", d)
	}
}

// group passes numbered events from several goroutines and notes which got through.
type group struct {
	p      Pauser
	passed chan uint64
}

func (g *group) pass(id uint64) {
	g.p.Pass(Event{Kind: Sent, Message: message(1, 2, &protocol.ReadRequest{ID: id})})
	g.passed <- id
}

func is(id uint64) Condition {
	return func(e Event) bool { return e.Message.Body.(*protocol.ReadRequest).ID == id }
}

func TestStopLookContinueStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		g := &group{passed: make(chan uint64, 100)}
		g.p.StopWhen(is(2))
		g.pass(1)
		go g.pass(2)
		e, err := g.p.Wait(ctx)
		if err != nil || !is(2)(e) {
			t.Fatalf("stopped at %+v, %v; want event 2", e, err)
		}
		for id := uint64(3); id < 6; id++ {
			go g.pass(id)
		}
		synctest.Wait()
		if n := len(g.passed); n != 1 {
			t.Errorf("%d events passed a group that is paused, want only the first", n)
		}
		if _, err := g.p.Step(ctx, 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(g.passed); n != 2 {
			t.Errorf("%d events have passed after a step, want 2", n)
		}
		if _, err := g.p.Step(ctx, 2); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(g.passed); n != 4 {
			t.Errorf("%d events have passed after two more, want 4", n)
		}
		g.p.Continue()
		synctest.Wait()
		if n := len(g.passed); n != 5 {
			t.Errorf("%d events have passed in the end, want 5", n)
		}
	})
}

func TestCloseLetsAllGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{passed: make(chan uint64, 100)}
		g.p.StopWhen(is(1))
		go g.pass(1)
		go g.pass(2)
		synctest.Wait()
		g.p.StopWhen(is(3))
		g.p.Close()
		g.pass(3)
		synctest.Wait()
		if n := len(g.passed); n != 3 {
			t.Errorf("%d events passed, want 3", n)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var p Pauser
	if _, err := p.Wait(ctx); err == nil {
		t.Error("waiting for a group that never stops ended without an error")
	}
}
