package protocol

import "slices"

// Suffrage says whether a member counts for majorities.
type Suffrage uint8

// The suffrages. The values are written to disk: they never change.
const (
	Voter   Suffrage = 1 // counts for elections and commitment
	Learner Suffrage = 2 // receives the log, counts for nothing
	Leaving Suffrage = 3 // a voter of the old half of a joint configuration only, gone when that ends
)

// Member is one server of a cluster.
type Member struct {
	ID       MemberID
	Address  string // host:port of the peer endpoint
	Suffrage Suffrage
	Name     string // for people; may be empty
	Client   string // where clients reach it, a URL; may be empty

	// Incarnation of the volume that may vote under this ID; 0: it was not recorded. A volume
	// that was wiped and comes back has another one, and its votes count for nothing.
	Incarnation Incarnation
}

// Membership is a configuration of the cluster (paper section 6). Outgoing is
// empty except in a joint configuration, where it holds the voters of the old
// configuration: then a decision needs a majority of both. Those of them that have no
// place in the new one are Members too, as Leaving, so that their addresses are known.
type Membership struct {
	Members  []Member // ascending by ID
	Outgoing []MemberID
	Highest  MemberID // no member ever had a higher ID; new ones must, since IDs are never reused
}

// Voters gives the IDs of the voters, ascending.
func (m Membership) Voters() []MemberID { return m.with(Voter) }

// Learners gives the IDs of the learners, ascending.
func (m Membership) Learners() []MemberID { return m.with(Learner) }

func (m Membership) with(s Suffrage) []MemberID {
	var ids []MemberID
	for _, x := range m.Members {
		if x.Suffrage == s {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// Find gives the member with the ID, and whether there is one.
func (m Membership) Find(id MemberID) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(x Member) bool { return x.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

// Clone gives a deep copy.
func (m Membership) Clone() Membership {
	return Membership{Members: slices.Clone(m.Members), Outgoing: slices.Clone(m.Outgoing), Highest: m.Highest}
}
