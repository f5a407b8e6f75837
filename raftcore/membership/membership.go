package membership

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// Change is what is to become of a cluster's members, all of it in one step. A member
// is named at most once.
type Change struct {
	Add     []protocol.Member   // join as learners, whatever their Suffrage says; with new IDs
	Promote []protocol.MemberID // learners that become voters
	Demote  []protocol.MemberID // voters that become learners
	Remove  []protocol.MemberID // of either suffrage
	Update  []protocol.Member   // get this Address, Name, Client and, if none is recorded, Incarnation
}

// IsJoint reports whether the configuration is joint.
func IsJoint(m protocol.Membership) bool { return len(m.Outgoing) > 0 }

// Highest gives the highest ID that any member ever had. A configuration that does not tell,
// as the one that a cluster is founded with, has had none but its members.
func Highest(m protocol.Membership) protocol.MemberID {
	high := m.Highest
	for _, x := range m.Members {
		high = max(high, x.ID)
	}
	for _, id := range m.Outgoing {
		high = max(high, id)
	}
	return high
}

// WasRemoved reports whether the member with the ID was one and is none any more: IDs are
// given in ascending order and never again.
func WasRemoved(m protocol.Membership, id protocol.MemberID) bool {
	_, is := m.Find(id)
	return !is && !quorum.Of(m).Has(id) && id <= Highest(m)
}

// Next gives the configuration that follows. Where at most one voter comes or goes it is
// a single one: any majority of the old meets any majority of the new (thesis section 4.1).
// Otherwise it is joint, and Leave of it follows once it is committed (paper section 6).
// Every error is an *Error.
func Next(current protocol.Membership, c Change) (protocol.Membership, error) {
	if IsJoint(current) {
		return current, refuse(Joint, 0, "the configuration is a joint one, which must be left first")
	}
	if err := check(current, c); err != nil {
		return current, err
	}
	next := current.Clone()
	next.Highest = Highest(current)
	for _, x := range c.Add {
		x.Suffrage = protocol.Learner
		next.Members = append(next.Members, x)
		next.Highest = max(next.Highest, x.ID)
	}
	for i := range next.Members {
		m := &next.Members[i]
		switch {
		case slices.Contains(c.Promote, m.ID):
			m.Suffrage = protocol.Voter
		case slices.Contains(c.Demote, m.ID):
			m.Suffrage = protocol.Learner
		}
		for _, u := range c.Update {
			if u.ID == m.ID {
				m.Address, m.Name, m.Client = u.Address, u.Name, u.Client
				m.Incarnation = max(m.Incarnation, u.Incarnation) // one of them is 0, or they are equal
			}
		}
	}
	return settle(current, next, c.Remove)
}

// settle takes the removed members out of next, or marks them as leaving where the
// step from current is too large for a single configuration.
func settle(current, next protocol.Membership, removed []protocol.MemberID) (protocol.Membership, error) {
	old := current.Voters()
	joint := next.Clone()
	isRemoved := func(m protocol.Member) bool { return slices.Contains(removed, m.ID) }
	next.Members = slices.DeleteFunc(next.Members, isRemoved)
	byID := func(a, b protocol.Member) int { return cmp.Compare(a.ID, b.ID) }
	slices.SortFunc(next.Members, byID)
	voters := next.Voters()
	if len(voters) == 0 {
		return current, refuse(NoVoters, 0, "no voter would be left")
	}
	if distance(old, voters) <= 1 {
		return next, nil
	}
	joint.Members = slices.DeleteFunc(joint.Members, func(m protocol.Member) bool {
		return isRemoved(m) && !slices.Contains(old, m.ID)
	})
	for i, m := range joint.Members {
		if isRemoved(m) {
			joint.Members[i].Suffrage = protocol.Leaving
		}
	}
	slices.SortFunc(joint.Members, byID)
	joint.Outgoing = old
	return joint, nil
}

// distance is how many voters are in one of the lists only.
func distance(a, b []protocol.MemberID) int {
	n := 0
	for _, id := range a {
		if !slices.Contains(b, id) {
			n++
		}
	}
	for _, id := range b {
		if !slices.Contains(a, id) {
			n++
		}
	}
	return n
}

// Leave gives the single configuration that a joint one leads to; of a single one it
// changes nothing.
func Leave(joint protocol.Membership) protocol.Membership {
	m := joint.Clone()
	m.Outgoing = nil
	m.Members = slices.DeleteFunc(m.Members, func(x protocol.Member) bool { return x.Suffrage == protocol.Leaving })
	return m
}
