package observe

import (
	"slices"

	"github.com/quorate/quorate/node/nodeapi"
)

// Membership is the configuration in effect at the leader; nil when no leader tells one.
func (o *Observed) Membership() *nodeapi.Membership {
	if leader := o.Leader(); leader != nil {
		return leader.Status.Membership
	}
	return nil
}

// Settled tells whether the leader's configuration is committed and no joint one: what it
// says of a member is final then, until somebody asks for another change.
func (o *Observed) Settled() bool {
	c := o.Membership()
	return c != nil && c.Committed && !c.Joint
}

// Info is what the leader's configuration says of a member; nil: it is not in there, or no
// leader tells.
func (o *Observed) Info(id int64) *nodeapi.MemberInfo {
	c := o.Membership()
	if c == nil {
		return nil
	}
	for i := range c.Members {
		if c.Members[i].ID == raftID(id) {
			return &c.Members[i]
		}
	}
	return nil
}

// Voters is the IDs of the members that have a vote: by the leader's word, or else as far
// as status knows. One that leaves has a vote until it is out.
func (o *Observed) Voters() []int64 {
	if c := o.Membership(); c != nil {
		var ids []int64
		for i := range c.Members {
			if c.Members[i].Suffrage != nodeapi.SuffrageLearner {
				ids = append(ids, int64(c.Members[i].ID)) //nolint:gosec // IDs are small
			}
		}
		return ids
	}
	return o.Cluster.Status.Voters()
}

// Votes tells whether a member has a vote.
func (o *Observed) Votes(m *Member) bool { return slices.Contains(o.Voters(), m.ID) }

// Quorum is the number of voters that must agree. While a joint configuration lasts it may
// be one more than is needed, never less.
func (o *Observed) Quorum() int { return len(o.Voters())/2 + 1 }

// Followed counts the voters that are well and follow the leader, itself included.
func (o *Observed) Followed() int {
	n := 0
	for i := range o.Members {
		if m := &o.Members[i]; o.Votes(m) && o.Follows(m) {
			n++
		}
	}
	return n
}

// Follows tells whether a member is well and follows the leader, or is it.
func (o *Observed) Follows(m *Member) bool {
	leader := o.Leader()
	return leader != nil && o.Well(m) && m.Status.Term == leader.Status.Term && m.Status.LeaderID == leader.Status.MemberID
}

// Served tells whether a leader is followed by a quorum.
func (o *Observed) Served() bool { return o.Leader() != nil && o.Followed() >= o.Quorum() }

// raftID is a member's ID in the node's type.
func raftID(id int64) uint64 { return uint64(id) } //nolint:gosec // IDs are positive
