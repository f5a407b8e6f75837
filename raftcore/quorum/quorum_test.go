package quorum_test

import (
	"slices"
	"testing"
	"testing/quick"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// world is a configuration and what each voter says, made by testing/quick.
type world struct {
	Incoming, Outgoing []uint8
	Match              [16]uint8
	Joint              bool
}

func (w world) config() quorum.Config {
	c := quorum.Config{Incoming: voters(w.Incoming)}
	if w.Joint {
		c.Outgoing = voters(w.Outgoing)
	}
	return c
}

func voters(raw []uint8) []protocol.MemberID {
	var ids []protocol.MemberID
	for _, x := range raw {
		ids = append(ids, protocol.MemberID(x%16))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (w world) match(id protocol.MemberID) protocol.Index { return protocol.Index(w.Match[id] % 8) }

// reached is the slow twin: it looks for a subset that is a majority and says yes as a
// whole, over all subsets.
func reached(ids []protocol.MemberID, yes func(protocol.MemberID) bool) bool {
	for set := range 1 << len(ids) {
		all, n := true, 0
		for i, id := range ids {
			if set>>i&1 == 1 {
				n++
				all = all && yes(id)
			}
		}
		if all && 2*n > len(ids) {
			return true
		}
	}
	return false
}

// committed is the slow twin: it tries every index from the highest.
func committed(c quorum.Config, match func(protocol.MemberID) protocol.Index) protocol.Index {
	for i := protocol.Index(8); i > 0; i-- {
		yes := func(id protocol.MemberID) bool { return match(id) >= i }
		if reached(c.Incoming, yes) && (len(c.Outgoing) == 0 || reached(c.Outgoing, yes)) {
			return i
		}
	}
	return 0
}

func TestFastAnswersEqualObviousOnes(t *testing.T) {
	cfg := &quick.Config{MaxCount: 3000}
	if err := quick.CheckEqual(
		func(w world) protocol.Index { return w.config().Committed(w.match) },
		func(w world) protocol.Index { return committed(w.config(), w.match) }, cfg); err != nil {
		t.Error(err)
	}
	yes := func(w world) func(protocol.MemberID) bool {
		return func(id protocol.MemberID) bool { return w.Match[id]%2 == 0 }
	}
	if err := quick.CheckEqual(
		func(w world) bool { return w.config().Reached(yes(w)) },
		func(w world) bool {
			c := w.config()
			return reached(c.Incoming, yes(w)) && (len(c.Outgoing) == 0 || reached(c.Outgoing, yes(w)))
		}, cfg); err != nil {
		t.Error(err)
	}
}

func TestTwoQuorumsAlwaysMeet(t *testing.T) {
	err := quick.Check(func(w world) bool {
		c := w.config()
		in := func(id protocol.MemberID) bool { return w.Match[id]%2 == 0 }
		out := func(id protocol.MemberID) bool { return !in(id) }
		return !c.Reached(in) || !c.Reached(out)
	}, &quick.Config{MaxCount: 3000})
	if err != nil {
		t.Error(err)
	}
}

func TestNoVotersNeverAgree(t *testing.T) {
	var c quorum.Config
	if c.Reached(func(protocol.MemberID) bool { return true }) || c.Committed(func(protocol.MemberID) protocol.Index { return 5 }) != 0 {
		t.Error("a configuration without voters agrees")
	}
}

func TestOfTakesVotersOfBothHalves(t *testing.T) {
	c := quorum.Of(protocol.Membership{
		Members: []protocol.Member{
			{ID: 1, Suffrage: protocol.Voter}, {ID: 2, Suffrage: protocol.Learner}, {ID: 3, Suffrage: protocol.Voter},
		},
		Outgoing: []protocol.MemberID{4},
	})
	for id, want := range map[protocol.MemberID]bool{1: true, 2: false, 3: true, 4: true, 5: false} {
		if got := c.Has(id); got != want {
			t.Errorf("Has(%d) = %v, want %v", id, got, want)
		}
	}
}

func TestCommittedAllocatesNothing(t *testing.T) {
	c := quorum.Config{Incoming: []protocol.MemberID{1, 2, 3, 4, 5, 6, 7, 8, 9}}
	n := testing.AllocsPerRun(100, func() { c.Committed(func(id protocol.MemberID) protocol.Index { return protocol.Index(id) }) })
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
