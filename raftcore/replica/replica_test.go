package replica_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func validConfig() replica.Config {
	return replica.Config{ID: 1, ElectionTicks: 10, HeartbeatTicks: 2, MaxMessageBytes: 1 << 20, MaxInflight: 2, MaxUncommittedBytes: 1 << 20, Memberships: memberships}
}

func TestNewNamesWhatContradictsItself(t *testing.T) {
	log := protocol.LogState{
		Base: protocol.EntryID{Term: 2, Index: 10}, Last: 14,
		Terms: []protocol.TermStart{{Term: 2, First: 11}, {Term: 4, First: 13}},
	}
	good := replica.Restore{Hard: protocol.HardState{Term: 4}, Log: log, Applied: protocol.EntryID{Term: 2, Index: 12}}
	if _, err := replica.New(validConfig(), good); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		bend func(*replica.Config, *replica.Restore)
		want string
	}{
		{"no ID", func(c *replica.Config, _ *replica.Restore) { c.ID = 0 }, "ID must not be 0"},
		{"heartbeats too slow", func(c *replica.Config, _ *replica.Restore) { c.HeartbeatTicks = 10 }, "ElectionTicks is 10, must be more than HeartbeatTicks, 10"},
		{"applied beyond the log", func(_ *replica.Config, r *replica.Restore) { r.Applied = protocol.EntryID{Term: 4, Index: 15} }, "applied entry 15 of term 4"},
		{"applied before the log", func(_ *replica.Config, r *replica.Restore) { r.Applied = protocol.EntryID{Term: 2, Index: 9} }, "applied entry 9 of term 2"},
		{"applied something else", func(_ *replica.Config, r *replica.Restore) { r.Applied = protocol.EntryID{Term: 3, Index: 12} }, "applied entry 12 of term 3"},
		{"term lost", func(_ *replica.Config, r *replica.Restore) { r.Hard.Term = 3 }, "the log ends in term 4, but the saved term is 3"},
		{"terms fall", func(_ *replica.Config, r *replica.Restore) {
			r.Log.Terms = []protocol.TermStart{{Term: 4, First: 11}, {Term: 2, First: 13}}
		}, "term 2 begins at 13, after term 4 at 11"},
		{"first term late", func(_ *replica.Config, r *replica.Restore) {
			r.Log.Terms = []protocol.TermStart{{Term: 4, First: 12}}
		}, "the first term begins at 12, the base is 10"},
		{"terms missing", func(_ *replica.Config, r *replica.Restore) { r.Log.Terms = nil }, "base 10, last 14, with 0 terms"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg, r := validConfig(), good
			c.bend(&cfg, &r)
			if _, err := replica.New(cfg, r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestElectionTimeoutsAreSpread shows that timeouts use all of [ElectionTicks, twice
// that), differ from one election to the next, and follow from the seed alone.
func TestElectionTimeoutsAreSpread(t *testing.T) {
	seen := map[int]int{}
	for seed := range uint64(500) {
		first, again := timeouts(t, seed), timeouts(t, seed)
		if first != again {
			t.Fatalf("seed %d gives %v, then %v", seed, first, again)
		}
		for _, n := range first {
			seen[n]++
		}
	}
	for n := 10; n < 20; n++ {
		if seen[n] < 1500/10/2 || seen[n] > 1500/10*2 {
			t.Errorf("timeout %d was drawn %d of 1500 times", n, seen[n])
		}
	}
	if len(seen) != 10 {
		t.Errorf("timeouts drawn: %v", seen)
	}
	t.Logf("timeouts drawn: %v", seen)
}

// timeouts gives the ticks up to each of three elections.
func timeouts(t *testing.T, seed uint64) (ticks [3]int) {
	cfg := validConfig()
	cfg.Seed = seed
	r, err := replica.New(cfg, replica.Restore{Membership: newWorld(3, 0).initial})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ticks {
		for asked := false; !asked; ticks[i]++ {
			asked = len(r.Step(replica.Tick{}).Send) > 0
		}
	}
	return ticks
}

// TestSplitVotesEnd starts clusters whose members all lose patience in the same few ticks,
// with a network that takes a tick for each message, and prints how many ticks it took
// until one leads.
func TestSplitVotesEnd(t *testing.T) {
	const clusters = 300
	took := map[int]int{} // clusters by multiples of the minimum election timeout
	for seed := range uint64(clusters) {
		n, err := ticksToLeader(seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		took[n/5]++
	}
	t.Logf("clusters by election timeouts until a leader: %v", took)
	if took[1]+took[2] < clusters/2 {
		t.Errorf("less than half of %d clusters had a leader after two timeouts: %v", clusters, took)
	}
}

func ticksToLeader(seed uint64) (int, error) {
	w := newWorld(5, 0)
	w.config.ElectionTicks, w.config.HeartbeatTicks, w.config.Seed = 5, 1, seed
	if err := w.startAll(); err != nil {
		return 0, err
	}
	for n := 1; n < 100; n++ {
		arriving := w.flying
		w.flying = nil
		for _, m := range w.members {
			if err := w.step(m, replica.Tick{}); err != nil {
				return 0, err
			}
			for len(m.jobs) > 0 {
				if err := w.persist(m); err != nil {
					return 0, err
				}
			}
			if m.r.Status().Role == replica.Leader {
				return n, nil
			}
		}
		for _, msg := range arriving {
			if err := w.give(msg); err != nil {
				return 0, err
			}
		}
	}
	return 0, fmt.Errorf("no leader after 100 ticks")
}

// TestForwardsAreBounded lets a follower forward more commands within an election timeout than it
// remembers: the oldest are forgotten, and their refusal gives nothing back.
func TestForwardsAreBounded(t *testing.T) {
	cfg := validConfig()
	members := protocol.Membership{Members: []protocol.Member{
		{ID: 1, Address: "1", Suffrage: protocol.Voter}, {ID: 2, Address: "2", Suffrage: protocol.Voter},
	}}
	r, err := replica.New(cfg, replica.Restore{Membership: members})
	if err != nil {
		t.Fatal(err)
	}
	r.Step(replica.Receive{Message: protocol.Message{From: 2, To: 1, Term: 1, Body: &protocol.AppendRequest{}}})
	r.Step(replica.Persisted{Seq: 1})
	var ids []uint64
	for range 3000 {
		fx := r.Step(replica.Propose{Kind: protocol.EntryCommand, Payloads: [][]byte{[]byte("x")}})
		if len(fx.Send) != 1 || len(fx.Refused) > 0 {
			t.Fatalf("command %d: %+v", len(ids), fx)
		}
		ids = append(ids, fx.Send[0].Body.(*protocol.Forward).ID)
	}
	if err := r.CheckInvariants(); err != nil {
		t.Error(err)
	}
	for id, want := range map[uint64]int{ids[0]: 0, ids[len(ids)-1025]: 0, ids[len(ids)-1024]: 1, ids[len(ids)-1]: 1} {
		refusal := &protocol.ForwardRefused{ID: id, Reason: protocol.Overloaded}
		fx := r.Step(replica.Receive{Message: protocol.Message{From: 2, To: 1, Term: 1, Body: refusal}})
		if len(fx.Refused) != want {
			t.Errorf("the refusal of Forward %d of %d gives %d back, want %d", id-ids[0]+1, len(ids), len(fx.Refused), want)
		}
	}
}

// TestAForeignVolumeIsToldWhenItIsCommitted lets a member receive a configuration that records
// another volume for it. Until that is committed it may be cut off, and is no reason to end.
func TestAForeignVolumeIsToldWhenItIsCommitted(t *testing.T) {
	cfg := validConfig()
	cfg.Incarnation = 7
	members := protocol.Membership{Members: []protocol.Member{
		{ID: 1, Address: "1", Suffrage: protocol.Voter}, {ID: 2, Address: "2", Suffrage: protocol.Voter},
	}}
	r, err := replica.New(cfg, replica.Restore{Membership: members})
	if err != nil {
		t.Fatal(err)
	}
	recorded := members.Clone()
	recorded.Members[0].Incarnation = 8
	payload, err := memberships.EncodeMembership(recorded)
	if err != nil {
		t.Fatal(err)
	}
	entry := protocol.Entry{Index: 1, Term: 1, Kind: protocol.EntryConfiguration, Payload: payload}
	hears := func(req protocol.AppendRequest) *replica.MembershipChange {
		t.Helper()
		fx := r.Step(replica.Receive{Message: protocol.Message{From: 2, To: 1, Term: 1, Body: &req}})
		if fx.Violation != nil || fx.Membership == nil {
			t.Fatalf("%v, no change of the membership is told", fx.Violation)
		}
		return fx.Membership
	}
	if m := hears(protocol.AppendRequest{Entries: []protocol.Entry{entry}}); m.Foreign || m.Committed {
		t.Errorf("of a configuration that may be cut off it tells %+v", m)
	}
	if m := hears(protocol.AppendRequest{Prev: entry.ID(), Commit: 1}); !m.Foreign || !m.Committed {
		t.Errorf("of a configuration that is committed it tells %+v", m)
	}
}

// TestASnapshotOfALaterTermIsNotInstalled: it was frozen after its sender had lost the leadership. With
// it the log would end in a term that is not saved here, and the member could not be started again.
func TestASnapshotOfALaterTermIsNotInstalled(t *testing.T) {
	members := protocol.Membership{Members: []protocol.Member{
		{ID: 1, Address: "1", Suffrage: protocol.Voter}, {ID: 2, Address: "2", Suffrage: protocol.Voter},
	}}
	r, err := replica.New(validConfig(), replica.Restore{Hard: protocol.HardState{Term: 1}, Membership: members})
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range []protocol.EntryID{{Term: 1, Index: 10}, {Term: 2, Index: 20}} {
		fx := r.Step(replica.SnapshotReceived{From: 2, Term: 1, Meta: protocol.SnapshotMeta{Last: last, Membership: members}})
		if got := fx.Install != nil; got != (last.Term == 1) || fx.Violation != nil {
			t.Errorf("in term 1 a snapshot that ends in term %d is installed: %v, %v", last.Term, got, fx.Violation)
		}
	}
}
