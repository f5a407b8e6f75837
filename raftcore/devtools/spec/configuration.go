package spec

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// The published specification has a fixed set of servers. This file has the rules of paper section 6 and
// thesis chapter 4 for changing it: the last configuration in a server's log is in effect,
// committed or not, and a leader appends one only when that cannot make two decisions
// possible.

// ChangeConfiguration lets a leader append a configuration entry; commit is its commit
// index by then.
func (c *Check) ChangeConfiguration(i server, e entry, commit index) error {
	const action = "ChangeConfiguration"
	v := c.servers[i]
	next, err := c.configurationIn(e)
	switch last := v.log.lastConfiguration(); {
	case err != nil:
		return disabled(action, "%v cannot be read: %v", e.ID(), err)
	case last > commit:
		return disabled(action, "the configuration at %d is not committed, commitIndex[%d] is %d", last, i, commit)
	case v.log.term(commit) != v.currentTerm:
		return disabled(action, "commitIndex[%d] is %d of term %d, nothing is committed in currentTerm %d", i, commit, v.log.term(commit), v.currentTerm)
	}
	if s, ok := disjointQuorums(v.membership, next); ok {
		return disabled(action, "%v is a quorum of %v, and the others are one of %v", s, v.membership, next)
	}
	v.membership = next
	return c.did(action)
}

// configurationIn decodes an entry, once.
func (c *Check) configurationIn(e entry) (protocol.Membership, error) {
	if m, ok := c.configurations[e.ID()]; ok {
		return m, nil
	}
	m, err := codec.Memberships{Serializer: codec.Msgpack{}}.DecodeMembership(e.Payload)
	if err == nil {
		c.configurations[e.ID()] = m
	}
	return m, err
}

// lastConfiguration gives the index of the last configuration entry, 0 when there is none.
func (l sequence) lastConfiguration() index {
	for at := l.len(); at > 0; at-- {
		if l[at-1].Kind == protocol.EntryConfiguration {
			return at
		}
	}
	return 0
}

// inEffect gives the configuration that a server's log puts into effect.
func (c *Check) inEffect(v *variables) (protocol.Membership, error) {
	at := v.log.lastConfiguration()
	if at == 0 {
		return v.founding, nil
	}
	return c.configurationIn(v.log[at-1])
}

// disjointQuorums looks for a quorum of one configuration whose rest is a quorum of the other.
func disjointQuorums(a, b protocol.Membership) ([]server, bool) {
	all := slices.Concat(a.Voters(), a.Outgoing, b.Voters(), b.Outgoing)
	slices.Sort(all)
	all = slices.Compact(all)
	for set := range 1 << len(all) {
		in := func(id server) bool { n, _ := slices.BinarySearch(all, id); return set>>n&1 == 1 }
		if isQuorum(a, in) && isQuorum(b, func(id server) bool { return !in(id) }) {
			return slices.DeleteFunc(all, func(id server) bool { return !in(id) }), true
		}
	}
	return nil, false
}

// equalConfiguration wants the replica to have the configuration that its log puts into effect.
func (s *step) equalConfiguration() error {
	want := s.v.membership
	if s.changed != 0 || s.fx.Install != nil {
		var err error
		if want, err = s.inEffect(s.v); err != nil {
			return err
		}
	}
	if got := s.after.Membership; !slices.Equal(got.Members, want.Members) || !slices.Equal(got.Outgoing, want.Outgoing) {
		return fmt.Errorf("the replica goes by the configuration %v, its log by %v", got, want)
	}
	s.v.membership = want
	return nil
}
