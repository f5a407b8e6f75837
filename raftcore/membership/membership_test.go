package membership_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

type ids = []protocol.MemberID

// group has voters and learners with addresses of their own.
func group(voters, learners ids) protocol.Membership {
	var m protocol.Membership
	for _, id := range voters {
		m.Members = append(m.Members, at(id, protocol.Voter))
	}
	for _, id := range learners {
		m.Members = append(m.Members, at(id, protocol.Learner))
	}
	slices.SortFunc(m.Members, func(a, b protocol.Member) int { return int(a.ID) - int(b.ID) })
	return m
}

func at(id protocol.MemberID, s protocol.Suffrage) protocol.Member {
	return protocol.Member{ID: id, Address: fmt.Sprint("m", id), Suffrage: s}
}

func with(m protocol.Membership, highest protocol.MemberID, outgoing ...protocol.MemberID) protocol.Membership {
	m.Highest, m.Outgoing = highest, outgoing
	return m
}

func volume(m protocol.Membership, id protocol.MemberID, i protocol.Incarnation) protocol.Membership {
	m = m.Clone()
	m.Members[id-1].Incarnation = i
	return m
}

func TestNext(t *testing.T) {
	three, five := group(ids{1, 2, 3}, nil), group(ids{1, 2, 3}, ids{4, 5})
	renamed := three.Clone()
	renamed.Members[1] = protocol.Member{ID: 2, Address: "new", Name: "two", Client: "http://two", Suffrage: protocol.Voter}
	leaving := group(ids{1, 3, 4}, ids{5})
	leaving.Members = slices.Insert(leaving.Members, 1, at(2, protocol.Leaving))
	for _, c := range []struct {
		name   string
		from   protocol.Membership
		change membership.Change
		want   protocol.Membership
	}{
		{"add", three, membership.Change{Add: []protocol.Member{at(7, protocol.Voter)}}, with(group(ids{1, 2, 3}, ids{7}), 7)},
		{"promote", five, membership.Change{Promote: ids{5}}, with(group(ids{1, 2, 3, 5}, ids{4}), 5)},
		{"demote", three, membership.Change{Demote: ids{1}}, with(group(ids{2, 3}, ids{1}), 3)},
		{"remove a voter", three, membership.Change{Remove: ids{3}}, with(group(ids{1, 2}, nil), 3)},
		{"remove a learner", five, membership.Change{Remove: ids{5}}, with(group(ids{1, 2, 3}, ids{4}), 5)},
		{"what was removed is remembered", with(three, 9), membership.Change{Add: []protocol.Member{at(10, 0)}}, with(group(ids{1, 2, 3}, ids{10}), 10)},
		{"update", three, membership.Change{Update: []protocol.Member{{ID: 2, Address: "new", Name: "two", Client: "http://two"}}}, with(renamed, 3)},
		{"record a volume", three, membership.Change{Update: []protocol.Member{{ID: 2, Address: "m2", Incarnation: 7}}}, with(volume(three, 2, 7), 3)},
		{"a volume stays recorded", volume(three, 2, 7), membership.Change{Update: []protocol.Member{{ID: 2, Address: "m2"}}}, with(volume(three, 2, 7), 3)},
		{"one voter comes, learners come and go", five, membership.Change{Promote: ids{4}, Remove: ids{5}, Add: []protocol.Member{at(6, 0)}}, with(group(ids{1, 2, 3, 4}, ids{6}), 6)},
		{"replace", five, membership.Change{Promote: ids{4}, Remove: ids{2}}, with(leaving, 5, 1, 2, 3)},
		{"exchange suffrages", five, membership.Change{Promote: ids{4, 5}, Demote: ids{1, 2}}, with(group(ids{3, 4, 5}, ids{1, 2}), 5, 1, 2, 3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.from.Clone()
			got, err := membership.Next(c.from, c.change)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if d := cmp.Diff(before, c.from); d != "" {
				t.Errorf("the configuration before was changed:\n%s", d)
			}
		})
	}
}

func TestNextRefuses(t *testing.T) {
	five := group(ids{1, 2, 3}, ids{4, 5})
	for _, c := range []struct {
		name   string
		from   protocol.Membership
		change membership.Change
		why    membership.Reason
		about  protocol.MemberID
	}{
		{"a joint configuration", with(five, 5, 1, 2), membership.Change{Remove: ids{4}}, membership.Joint, 0},
		{"nothing", five, membership.Change{}, membership.Nothing, 0},
		{"twice", five, membership.Change{Promote: ids{4}, Remove: ids{4}}, membership.Twice, 4},
		{"twice in one list", five, membership.Change{Remove: ids{1, 1}}, membership.Twice, 1},
		{"a member's ID", five, membership.Change{Add: []protocol.Member{at(4, 0)}}, membership.IDUsed, 4},
		{"a former member's ID", with(five, 8), membership.Change{Add: []protocol.Member{at(7, 0)}}, membership.IDUsed, 7},
		{"no ID", five, membership.Change{Add: []protocol.Member{{Address: "a"}}}, membership.IDUsed, 0},
		{"no address", five, membership.Change{Add: []protocol.Member{{ID: 6}}}, membership.NoAddress, 6},
		{"update without address", five, membership.Change{Update: []protocol.Member{{ID: 1}}}, membership.NoAddress, 1},
		{"update nobody", five, membership.Change{Update: []protocol.Member{at(6, 0)}}, membership.NotMember, 6},
		{"another volume", volume(five, 3, 77), membership.Change{Update: []protocol.Member{{ID: 3, Address: "c", Incarnation: 78}}}, membership.OtherVolume, 3},
		{"remove nobody", five, membership.Change{Remove: ids{9}}, membership.NotMember, 9},
		{"promote nobody", five, membership.Change{Promote: ids{9}}, membership.NotMember, 9},
		{"promote a voter", five, membership.Change{Promote: ids{1}}, membership.NotLearner, 1},
		{"demote a learner", five, membership.Change{Demote: ids{4}}, membership.NotVoter, 4},
		{"remove all", five, membership.Change{Remove: ids{1, 2, 3}}, membership.NoVoters, 0},
		{"demote all", group(ids{1}, nil), membership.Change{Demote: ids{1}}, membership.NoVoters, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := membership.Next(c.from, c.change)
			e, ok := errors.AsType[*membership.Error](err)
			if !ok || e.Reason != c.why || e.Member != c.about || e.Text == "" {
				t.Errorf("got %#v, want reason %d about member %d", err, c.why, c.about)
			}
		})
	}
}

func TestWasRemoved(t *testing.T) {
	m := with(group(ids{1, 3}, ids{4}), 6, 1, 2)
	for id, want := range map[protocol.MemberID]bool{1: false, 2: false, 3: false, 4: false, 5: true, 6: true, 7: false} {
		if got := membership.WasRemoved(m, id); got != want {
			t.Errorf("member %d was removed: %v", id, got)
		}
	}
}

// TestMajoritiesMeet walks at random through configurations: any set of members that decides
// by one meets any set that decides by the next, whatever the change was.
func TestMajoritiesMeet(t *testing.T) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	r := rand.New(rand.NewPCG(seed, 0))
	var joint, single, refused int
	for range 200 {
		m := group(ids{1, 2, 3}, nil)
		for range 30 {
			next, err := membership.Next(m, drawn(r, m))
			if err != nil {
				refused++
				continue
			}
			check(t, m, next)
			if m = next; !membership.IsJoint(m) {
				single++
				continue
			}
			joint++
			left := membership.Leave(m)
			check(t, m, left)
			m = left
		}
	}
	if joint < 100 || single < 100 || refused < 100 {
		t.Errorf("%d joint and %d single configurations, %d refusals", joint, single, refused)
	}
}

// drawn asks for anything, sensible or not.
func drawn(r *rand.Rand, m protocol.Membership) (c membership.Change) {
	for _, x := range m.Members {
		switch r.IntN(9) {
		case 0:
			c.Remove = append(c.Remove, x.ID)
		case 1, 2:
			c.Promote = append(c.Promote, x.ID)
		case 3:
			c.Demote = append(c.Demote, x.ID)
		case 4:
			c.Update = append(c.Update, at(x.ID, 0))
		}
	}
	// Few enough members, so that all sets of them can be looked at.
	if len(m.Members) < 6 && r.IntN(2) == 0 {
		c.Add = append(c.Add, at(membership.Highest(m)+protocol.MemberID(r.IntN(3)), 0))
	}
	return c
}

func check(t *testing.T, old, next protocol.Membership) {
	t.Helper()
	if membership.Highest(next) < membership.Highest(old) {
		t.Fatalf("the highest ID falls from %d to %d", membership.Highest(old), membership.Highest(next))
	}
	if !slices.IsSortedFunc(next.Members, func(a, b protocol.Member) int { return int(a.ID) - int(b.ID) }) {
		t.Fatalf("members are not sorted: %v", next.Members)
	}
	for _, id := range next.Outgoing {
		if x, ok := next.Find(id); !ok || x.Address == "" {
			t.Fatalf("the old voter %d has no address in %+v", id, next)
		}
	}
	disjointMajorities(t, old, next)
}

// disjointMajorities looks at every division of the members in two.
func disjointMajorities(t *testing.T, old, next protocol.Membership) {
	t.Helper()
	var all ids
	for _, x := range slices.Concat(old.Members, next.Members) {
		if !slices.Contains(all, x.ID) {
			all = append(all, x.ID)
		}
	}
	a, b := quorum.Of(old), quorum.Of(next)
	for set := range 1 << len(all) {
		in := func(id protocol.MemberID) bool { return set>>slices.Index(all, id)&1 == 1 }
		out := func(id protocol.MemberID) bool { return !in(id) }
		if a.Reached(in) && b.Reached(out) {
			t.Fatalf("%v decide by %v, the others of %v by %v", slices.DeleteFunc(slices.Clone(all), out), a, all, b)
		}
	}
}
