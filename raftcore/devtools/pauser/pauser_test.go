package pauser

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func message(from, to protocol.MemberID, body protocol.Body) protocol.Message {
	return protocol.Message{From: from, To: to, Body: body}
}

// changed makes an event of a group of which the first member given has changed.
func changed(group ...Status) Event {
	e := Event{Kind: Changed, Member: group[0].Member, Status: group[0]}
	e.Group = slices.SortedFunc(slices.Values(group), func(a, b Status) int { return compare(a.Member, b.Member) })
	return e
}

// conditionTest asks whether a condition is met by an event.
type conditionTest struct {
	name      string
	condition Condition
	event     Event
	want      bool
}

func TestConditions(t *testing.T) {
	for _, tt := range append(conditionsOfMessages(), conditionsOfMembers()...) {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.condition(tt.event); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func conditionsOfMessages() []conditionTest {
	vote := Event{Kind: Sent, Member: 1, Message: message(1, 2, &protocol.VoteRequest{})}
	voteArrives := Event{Kind: Arrived, Member: 2, Message: vote.Message}
	tick := Event{Kind: Taken, Member: 2, Input: replica.Tick{}}
	return []conditionTest{
		{"a message leaves", Sends(protocol.KindVoteRequest, 1, 2), vote, true},
		{"a message of any kind to anybody leaves", Sends(Any, Any, Any), vote, true},
		{"another kind leaves", Sends(protocol.KindAppendRequest, 1, 2), vote, false},
		{"another member sends", Sends(protocol.KindVoteRequest, 3, 2), vote, false},
		{"another member is sent to", Sends(protocol.KindVoteRequest, 1, 3), vote, false},
		{"leaving is not arriving", Arrives(protocol.KindVoteRequest, 1, 2), vote, false},
		{"a message arrives", Arrives(protocol.KindVoteRequest, Any, 2), voteArrives, true},
		{"an input is taken", Takes[replica.Tick](2), tick, true},
		{"an input is taken by anybody", Takes[replica.Tick](Any), tick, true},
		{"another input is taken", Takes[replica.Resign](2), tick, false},
		{"another member takes it", Takes[replica.Tick](3), tick, false},
		{"a message is no input", Takes[replica.Receive](Any), voteArrives, false},
	}
}

func conditionsOfMembers() []conditionTest {
	leader := Status{Member: 3, Up: true, Role: replica.Leader, Term: 7, Leader: 3, Last: 5, Commit: 4, Applied: 3}
	follows := Status{Member: 1, Up: true, Term: 7, Leader: 3, Last: 5, Commit: 3, Applied: 3}
	behind := Status{Member: 2, Up: true, Term: 6, Leader: 1, Last: 2}
	learns := Status{Member: 4, Up: true, Role: replica.Learner, Term: 7, Leader: 3, Last: 1}
	gone := Status{Member: 2}
	all, most, alone := changed(leader, follows, gone), changed(leader, follows, behind), changed(leader, behind, gone)
	crashed := changed(Status{Member: 3, Role: replica.Leader})
	return []conditionTest{
		{"a role is reached", Becomes(3, replica.Leader), most, true},
		{"a role is reached by anybody", Becomes(Any, replica.Leader), most, true},
		{"another role is reached", Becomes(3, replica.Candidate), most, false},
		{"a member that is down has no role", Becomes(3, replica.Leader), crashed, false},
		{"a term is reached", TermReaches(1, 7), most, true},
		{"a term is not reached", TermReaches(2, 7), most, false},
		{"the log reaches", LogReaches(3, 5), most, true},
		{"the log does not reach", LogReaches(3, 6), most, false},
		{"most logs reach", LogReaches(Most, 5), most, true},
		{"most logs reach while one is down", LogReaches(Most, 5), all, true},
		{"one log of three reaches", LogReaches(Most, 5), alone, false},
		{"a learner is not counted", LogReaches(Most, 5), changed(leader, follows, behind, learns), true},
		{"a learner does not help", LogReaches(Most, 1), changed(leader, gone, learns), false},
		{"every log reaches", LogReaches(Every, 5), all, true},
		{"not every log reaches", LogReaches(Every, 5), most, false},
		{"nobody is up", LogReaches(Every, 0), changed(gone), false},
		{"commit reaches", CommitReaches(3, 4), most, true},
		{"commit does not reach", CommitReaches(3, 5), most, false},
		{"applied reaches", AppliedReaches(3, 3), most, true},
		{"applied does not reach", AppliedReaches(3, 4), most, false},
		{"somebody else's change", AppliedReaches(1, 3), most, true},
		{"there is a leader for it", HasLeader(1), most, true},
		{"it follows an earlier leader", HasLeader(2), most, false},
		{"there is a leader for most", HasLeader(Most), most, true},
		{"there is no leader for most", HasLeader(Most), alone, false},
		{"there is a leader for every member that is up", HasLeader(Every), all, true},
		{"there is no leader for every member", HasLeader(Every), most, false},
		{"the leader is down", HasLeader(Any), changed(follows, Status{Member: 3}), false},
		{"either", Either(LogReaches(3, 6), CommitReaches(3, 4)), most, true},
		{"neither", Either(LogReaches(3, 6), CommitReaches(3, 5)), most, false},
		{"all", All(LogReaches(3, 5), CommitReaches(1, 3)), most, true},
		{"not all", All(LogReaches(3, 5), CommitReaches(1, 4)), most, false},
		{"not", Not(LogReaches(3, 6)), most, true},
		{"not not", Not(LogReaches(3, 5)), most, false},
	}
}

func TestElectionDone(t *testing.T) {
	status := func(id protocol.MemberID, role replica.Role, term protocol.Term, leader protocol.MemberID) Status {
		return Status{Member: id, Up: true, Role: role, Term: term, Leader: leader}
	}
	old, stale := status(1, replica.Leader, 1, 1), status(2, replica.Follower, 1, 1)
	candidate, elected := status(3, replica.Candidate, 2, 0), status(3, replica.Leader, 2, 3)
	voter := status(2, replica.Follower, 2, 3)
	done := ElectionDone()
	for i, x := range []struct {
		event Event
		want  bool
	}{
		{changed(stale, old, status(3, replica.Follower, 1, 1)), false},
		{changed(candidate, old, stale), false},
		{changed(elected, old, stale), false}, // leads, but nobody follows yet
		{changed(voter, old, elected), true},  // although the old leader is still there
	} {
		if got := done(x.event); got != x.want {
			t.Errorf("event %d: got %v, want %v", i, got, x.want)
		}
	}
	if ElectionDone()(changed(voter, elected)) {
		t.Error("an election that was done before the first event is told of")
	}
}

func TestThenWantsAnOrder(t *testing.T) {
	first, second := Sends(Any, 1, Any), Sends(Any, 2, Any)
	then := Then(first, second)
	one, two := Event{Kind: Sent, Message: message(1, 3, &protocol.TimeoutNow{})}, Event{Kind: Sent, Message: message(2, 3, &protocol.TimeoutNow{})}
	var got []bool
	for _, e := range []Event{two, one, one, two} {
		got = append(got, then(e))
	}
	if d := cmp.Diff([]bool{false, false, false, true}, got); d != "" {
		t.Errorf("member 1's, then member 2's (-want +got):\n%s", d)
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
