package server

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

func sortMembers(ms []protocol.Member) {
	slices.SortFunc(ms, func(a, b protocol.Member) int { return cmp.Compare(a.ID, b.ID) })
}

// membershipOf gives the configuration in effect; nil: there is none yet.
func (c *Config) membershipOf(s host.Status) *nodeapi.Membership {
	if len(s.Membership.Members) == 0 {
		return nil
	}
	out := &nodeapi.Membership{
		Index: uint64(s.Configuration.Index), Committed: s.Settled,
		Joint: membership.IsJoint(s.Membership), Highest: uint64(membership.Highest(s.Membership)),
	}
	for _, m := range s.Membership.Members {
		known := c.memberInfo(m)
		info := nodeapi.MemberInfo{
			ID: known.ID, Name: known.Name, Peer: known.PeerAddress, Client: known.ClientAddress, Suffrage: suffrages[m.Suffrage],
		}
		if m.Incarnation != 0 {
			info.Incarnation = hex(m.Incarnation)
		}
		if s.Role == replica.Leader {
			info.MatchIndex, info.Heard = progressOf(s, m.ID)
		}
		out.Members = append(out.Members, info)
	}
	return out
}

// progressOf gives how far the leader, whose status it is, knows a member's log to be its own.
func progressOf(s host.Status, id protocol.MemberID) (match uint64, heard bool) {
	if id == s.ID {
		return uint64(s.Stable), true
	}
	for _, f := range s.Followers {
		if f.ID == id {
			return uint64(f.Match), f.Heard
		}
	}
	return 0, false
}

var suffrages = map[protocol.Suffrage]nodeapi.Suffrage{
	protocol.Voter:   nodeapi.SuffrageVoter,
	protocol.Learner: nodeapi.SuffrageLearner,
	protocol.Leaving: nodeapi.SuffrageLeaving,
}
