package membership_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// FuzzNext asks for changes made of arbitrary bytes, one after the other: what is granted
// never lets two majorities miss each other, leaves nobody to vote, or gives an ID twice.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 0, 4, 1, 1, 4, 0, 3, 2})
	f.Add([]byte{2, 0, 4, 0, 5, 3, 1, 2, 1, 4, 1, 5, 3, 2, 9, 0, 2, 4})
	f.Fuzz(func(t *testing.T, data []byte) {
		now := protocol.Membership{Members: []protocol.Member{
			{ID: 1, Address: "1", Suffrage: protocol.Voter},
			{ID: 2, Address: "2", Suffrage: protocol.Voter},
			{ID: 3, Address: "3", Suffrage: protocol.Voter},
		}}
		gone := map[protocol.MemberID]bool{}
		for data = data[:min(len(data), 200)]; len(data) > 0; {
			var c membership.Change
			c, data = change(data)
			next, err := membership.Next(now, c)
			if err == nil {
				step(t, now, next, gone)
				now = next
			}
			if membership.IsJoint(now) && len(data) > 0 && data[0]%2 == 0 {
				left := membership.Leave(now)
				step(t, now, left, gone)
				now = left
			}
		}
	})
}

// change takes a change from the bytes: how much is asked for, then pairs of what and whom.
func change(data []byte) (c membership.Change, rest []byte) {
	n := 1 + int(data[0])%3
	for data = data[1:]; n > 0 && len(data) >= 2; n, data = n-1, data[2:] {
		id := protocol.MemberID(data[1] % 12)
		switch data[0] % 5 {
		case 0:
			c.Add = append(c.Add, protocol.Member{ID: id, Address: "new"})
		case 1:
			c.Promote = append(c.Promote, id)
		case 2:
			c.Demote = append(c.Demote, id)
		case 3:
			c.Remove = append(c.Remove, id)
		case 4:
			c.Update = append(c.Update, protocol.Member{ID: id, Address: "other"})
		}
	}
	return c, data
}

func step(t *testing.T, now, next protocol.Membership, gone map[protocol.MemberID]bool) {
	t.Helper()
	old, young := quorum.Of(now), quorum.Of(next)
	for set := range 1 << 12 { // members by bits
		in := func(id protocol.MemberID) bool { return set&(1<<id) != 0 }
		out := func(id protocol.MemberID) bool { return !in(id) }
		if old.Reached(in) && young.Reached(out) {
			t.Fatalf("from %+v to %+v: members %b agree before, and none of them is among those who agree after", now, next, set)
		}
	}
	if !young.Reached(func(protocol.MemberID) bool { return true }) {
		t.Fatalf("from %+v to %+v: all together are no majority", now, next)
	}
	for _, m := range now.Members {
		if _, stays := next.Find(m.ID); !stays {
			gone[m.ID] = true
		}
	}
	for _, m := range next.Members {
		if gone[m.ID] {
			t.Fatalf("from %+v to %+v: member %d was removed once", now, next, m.ID)
		}
	}
	if membership.Highest(next) < membership.Highest(now) {
		t.Fatalf("from %+v to %+v: the highest ID falls", now, next)
	}
}
