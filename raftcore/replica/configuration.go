package replica

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/progress"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// MembershipCodec turns memberships into the payloads of Configuration entries and back.
// It must be pure: the same on every member.
type MembershipCodec interface {
	EncodeMembership(protocol.Membership) ([]byte, error)
	DecodeMembership([]byte) (protocol.Membership, error)
}

// configuration is a membership and the entry that brought it.
type configuration struct {
	id         protocol.EntryID // zero: the initial one
	membership protocol.Membership
}

// configurations are those in the log, ascending, and before them the one as of the
// log's base: never empty. The last one counts, whether committed or not (paper section 6);
// the others are there for when it is cut off.
type configurations []configuration

func (cs configurations) last() configuration { return cs[len(cs)-1] }

// upTo gives the last one whose entry is at or before an index.
func (cs configurations) upTo(i protocol.Index) configuration {
	n := len(cs)
	for n > 1 && cs[n-1].id.Index > i {
		n--
	}
	return cs[n-1]
}

// truncate forgets those whose entries are after last.
func (cs *configurations) truncate(last protocol.Index) {
	n := len(*cs)
	for n > 1 && (*cs)[n-1].id.Index > last {
		n--
	}
	*cs = (*cs)[:n]
}

// compact forgets those that are superseded as of base.
func (cs *configurations) compact(base protocol.Index) {
	n := 0
	for n+1 < len(*cs) && (*cs)[n+1].id.Index <= base {
		n++
	}
	*cs = slices.Delete(*cs, 0, n)
}

// restored gives the configurations that a member starts with. A snapshot's is that as of its
// last entry: what the log tells of entries before it is not needed, and may be damaged.
func restored(codec MembershipCodec, r Restore) (configurations, error) {
	base := configuration{id: protocol.EntryID{Index: r.MembershipAt}, membership: r.Membership.Clone()}
	if r.Log.Configuration != nil && r.MembershipAt < r.Log.Base.Index {
		m, err := codec.DecodeMembership(r.Log.Configuration)
		if err != nil {
			return nil, fmt.Errorf("the configuration as of entry %d, the log's base: %w", r.Log.Base.Index, err)
		}
		base = configuration{id: r.Log.Base, membership: m}
	}
	cs := configurations{base}
	for _, e := range r.Log.Configurations {
		if e.Index <= base.id.Index {
			continue
		}
		m, err := codec.DecodeMembership(e.Payload)
		if err != nil {
			return nil, fmt.Errorf("the configuration in entry %d: %w", e.Index, err)
		}
		cs = append(cs, configuration{id: e.ID(), membership: m})
	}
	return cs, nil
}

// appendEntries puts entries behind the log's last one, with the configurations in them.
func (r *Replica) appendEntries(entries []protocol.Entry) {
	r.log.append(entries)
	for i := range entries {
		if entries[i].Kind == protocol.EntryConfiguration {
			r.appendConfiguration(entries[i])
		}
	}
}

func (r *Replica) appendConfiguration(e protocol.Entry) {
	m, err := r.cfg.Memberships.DecodeMembership(e.Payload)
	if err != nil {
		r.violate("the configuration in entry %d of term %d cannot be read: %v", e.Index, e.Term, err)
		return
	}
	r.configurations = append(r.configurations, configuration{id: e.ID(), membership: m})
}

// takeRepaired takes over configurations whose records could not be read when this member
// began. Until then it has been on one before them, and so it must not have led.
func (r *Replica) takeRepaired(entries []protocol.Entry) {
	for _, e := range entries {
		// The disk is behind: it may still hold what is cut off or compacted here.
		if e.Index <= r.configurations[0].id.Index || !r.log.has(e.ID()) && !r.cfg.Mutation.Has(mutation.RepairedCutOff) {
			continue
		}
		i, known := slices.BinarySearchFunc(r.configurations, e.Index, func(c configuration, i protocol.Index) int { return cmp.Compare(c.id.Index, i) })
		if known {
			continue
		}
		m, err := r.cfg.Memberships.DecodeMembership(e.Payload)
		if err != nil {
			r.violate("the repaired configuration in entry %d of term %d cannot be read: %v", e.Index, e.Term, err)
			return
		}
		r.configurations = slices.Insert(r.configurations, i, configuration{id: e.ID(), membership: m})
	}
}

// adopt lets the last configuration in the log take effect, whether committed or not: to
// wait for the commit would let two disjoint majorities decide (paper section 6). It tells
// the caller when another configuration is in effect or the one in effect is committed.
func (r *Replica) adopt() {
	c := r.configurations.last()
	if r.cfg.Mutation.Has(mutation.ChangeEffectOnCommit) {
		c = r.configurations.upTo(r.commit)
	}
	committed := c.id.Index <= r.commit
	if c.id == r.inEffect.id && committed == r.inEffect.committed {
		return
	}
	if c.id != r.inEffect.id {
		r.setMembership(c.membership)
	}
	r.inEffect = inEffect{c.id, committed}
	r.settleRole()
	r.fx.Membership = &MembershipChange{
		Membership: c.membership, ID: c.id, Committed: committed,
		Removed: committed && membership.WasRemoved(c.membership, r.cfg.ID),
		Foreign: committed && !r.remembers(r.cfg.ID, r.cfg.Incarnation),
	}
}

// inEffect names the configuration that counts, and whether it is known to be committed.
type inEffect struct {
	id        protocol.EntryID
	committed bool
}

// setMembership makes everything here agree with a configuration.
func (r *Replica) setMembership(m protocol.Membership) {
	r.membership = m
	sole := r.soleVoter()
	r.voters = r.votersOf(m)
	r.peers = r.peers[:0]
	for _, x := range m.Members {
		r.peers = append(r.peers, x.ID)
	}
	r.peers = append(r.peers, m.Outgoing...)
	slices.Sort(r.peers)
	r.peers = slices.Compact(r.peers)
	r.peers = slices.DeleteFunc(r.peers, func(id protocol.MemberID) bool { return id == r.cfg.ID })
	if r.role == Leader {
		r.matchFollowers()
	}
	if r.soleVoter() != sole {
		r.resetElectionTimer()
	}
}

// settleRole lets a follower become a learner or the other way round.
func (r *Replica) settleRole() {
	if r.role == Follower || r.role == Learner {
		r.role = r.passiveRole()
	}
}

func (r *Replica) votersOf(m protocol.Membership) quorum.Config {
	v := quorum.Of(m)
	if r.cfg.Mutation.Has(mutation.JointNeedsOnlyNew) {
		v.Outgoing = nil
	}
	if r.role == Leader && !v.Has(r.cfg.ID) && r.cfg.Mutation.Has(mutation.RemovedLeaderCountsItself) {
		v.Incoming = append(v.Incoming, r.cfg.ID)
	}
	return v
}

// matchFollowers begins to feed new members. A removed one is fed for a while, so that it
// learns of its removal; it counts for nothing.
func (r *Replica) matchFollowers() {
	for i := range r.followers {
		if p := &r.followers[i]; !slices.Contains(r.peers, p.ID) {
			p.Departing = departingTimeouts * r.cfg.ElectionTicks
		}
	}
	for _, id := range r.peers {
		if r.follower(id) == nil {
			r.followers = append(r.followers, r.newFollower(id, r.log.last+1))
		}
	}
	slices.SortFunc(r.followers, func(a, b progress.Progress) int { return cmp.Compare(a.ID, b.ID) })
}

// departingTimeouts is for how many minimum election timeouts after the commit of its
// removal a member is still fed.
const departingTimeouts = 3

// tickDeparting ends the feeding of members whose removal was committed a while ago.
func (r *Replica) tickDeparting() {
	if !r.inEffect.committed {
		return
	}
	r.followers = slices.DeleteFunc(r.followers, func(p progress.Progress) bool {
		return p.Departing == 1
	})
	for i := range r.followers {
		p := &r.followers[i]
		p.Departing = max(0, p.Departing-1)
	}
}

// passiveRole is what this member is when it neither leads nor wants to.
func (r *Replica) passiveRole() Role {
	if r.mayCampaign() {
		return Follower
	}
	return Learner
}

// mayCampaign reports whether this member may ask to be elected: one that is no voter
// never does. But while the configuration that takes its vote is not known to be committed,
// it must (thesis section 4.2.2): it may be the only one that has the entry, and
// those that do not have it cannot win without its vote, which its longer log refuses them.
// It does not count its own vote then.
func (r *Replica) mayCampaign() bool {
	if !r.remembers(r.cfg.ID, r.cfg.Incarnation) {
		return false
	}
	if r.voters.Has(r.cfg.ID) {
		return true
	}
	cs := r.configurations
	for n := len(cs) - 1; n > 0 && cs[n].id.Index > r.commit && !r.cfg.Mutation.Has(mutation.SilentWhenRemoved); n-- {
		if quorum.Of(cs[n-1].membership).Has(r.cfg.ID) {
			return true
		}
	}
	return false
}
