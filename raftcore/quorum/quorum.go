package quorum

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Config is the set of voters. Outgoing is empty except in a joint configuration,
// where it holds the voters of the old one.
type Config struct {
	Incoming, Outgoing []protocol.MemberID
}

// Of gives the voters of a membership.
func Of(m protocol.Membership) Config {
	return Config{Incoming: m.Voters(), Outgoing: slices.Clone(m.Outgoing)}
}

// Has reports whether the member is a voter, in either half.
func (c Config) Has(id protocol.MemberID) bool {
	return slices.Contains(c.Incoming, id) || slices.Contains(c.Outgoing, id)
}

// Reached reports whether a majority, of both halves when joint, says yes.
func (c Config) Reached(yes func(protocol.MemberID) bool) bool {
	return majority(c.Incoming, yes) && (len(c.Outgoing) == 0 || majority(c.Outgoing, yes))
}

// Committed gives the highest index that a majority, of both halves when joint, has
// acknowledged; 0 without voters.
func (c Config) Committed(match func(protocol.MemberID) protocol.Index) protocol.Index {
	i := acknowledged(c.Incoming, match)
	if len(c.Outgoing) > 0 {
		i = min(i, acknowledged(c.Outgoing, match))
	}
	return i
}

func majority(ids []protocol.MemberID, yes func(protocol.MemberID) bool) bool {
	n := 0
	for _, id := range ids {
		if yes(id) {
			n++
		}
	}
	return n > len(ids)/2
}

// usual is the largest number of voters for which no memory is allocated.
const usual = 9

// acknowledged sorts the match indexes: of n voters, n/2+1 have at least the one at
// position n/2 counted from the highest.
func acknowledged(ids []protocol.MemberID, match func(protocol.MemberID) protocol.Index) protocol.Index {
	if len(ids) == 0 {
		return 0
	}
	var array [usual]protocol.Index
	sorted := array[:0]
	for _, id := range ids {
		sorted = append(sorted, match(id))
	}
	slices.Sort(sorted)
	return sorted[len(sorted)-1-len(sorted)/2]
}
