package sim

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// mostMembers is how many members a run may have, one after the other: IDs are never used
// again.
const mostMembers = 16

// founders is the membership that a cluster begins with.
func (c *Cluster) founders() protocol.Membership {
	var ms protocol.Membership
	for i := range c.options.Members + c.options.Learners {
		x := address(protocol.MemberID(i + 1))
		if i < c.options.Members {
			x.Suffrage = protocol.Voter
		}
		ms.Members = append(ms.Members, x)
	}
	return ms
}

func address(id protocol.MemberID) protocol.Member {
	return protocol.Member{ID: id, Address: fmt.Sprint("member-", id), Suffrage: protocol.Learner}
}

// membership decodes the payload of a configuration; there are few different ones. Nil
// is what the member began with: the founders know each other, and who joins later
// knows nobody.
func (m *member) membership(payload []byte) protocol.Membership {
	c := m.c
	if payload == nil {
		if m.joined {
			return protocol.Membership{}
		}
		return c.founders()
	}
	if ms, ok := c.decoded[string(payload)]; ok {
		return ms
	}
	ms, err := memberships.DecodeMembership(payload)
	if err != nil {
		c.fail(Invariants, "member %d has a configuration that cannot be decoded: %v", m.id, err)
	}
	c.decoded[string(payload)] = ms
	return ms
}

// reconfigure notes the configuration that is in effect by the member's log: the last one
// in it, committed or not (paper section 6).
func (m *member) reconfigure() {
	m.config = m.membership(m.log.Configuration(m.log.Last().Index))
}

// reached reports whether members for which a question is answered by yes make a decision:
// a majority of the voters, in a joint configuration of the old ones as well.
func reached(ms protocol.Membership, yes func(protocol.MemberID) bool) bool {
	for _, voters := range [][]protocol.MemberID{ms.Voters(), ms.Outgoing} {
		n := 0
		for _, id := range voters {
			if yes(id) {
				n++
			}
		}
		if len(voters) > 0 && n <= len(voters)/2 {
			return false
		}
	}
	return len(ms.Voters()) > 0
}

// everybody gives all who have a part in a configuration.
func everybody(ms protocol.Membership) []protocol.MemberID {
	all := slices.Clone(ms.Outgoing)
	for _, x := range ms.Members {
		all = append(all, x.ID)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// join makes a member that knows nobody and waits to be added.
func (c *Cluster) join() *member {
	m := newMember(c, protocol.MemberID(len(c.members)+1), c.boots)
	m.joined = true
	if !c.faults.over {
		m.interval = m.drifted
	}
	c.members = append(c.members, m)
	m.start()
	return m
}

// newcomer gives a member with an ID that none ever had in the configuration, or nil.
func (c *Cluster) newcomer(ms protocol.Membership) *member {
	for _, m := range c.members {
		if m.raft != nil && m.id > membership.Highest(ms) {
			return m
		}
	}
	if len(c.members) >= mostMembers {
		return nil
	}
	return c.join()
}

// change asks for a change of the membership, mostly who leads.
func (f *faults) change() {
	m := f.c.leader()
	if m == nil || f.r.percent(10) {
		if m = f.victim(); m == nil {
			return
		}
	}
	ch := f.drawChange(m.config)
	if next, err := membership.Next(m.config, ch); err == nil && !reached(next, f.c.isSound) {
		return // nobody should ask for that: too many are lost
	}
	f.c.struck(Changes)
	f.c.ask(m, ch)
}

// isSound reports whether a member is not lost for good, and not about to be.
func (c *Cluster) isSound(id protocol.MemberID) bool {
	m := c.member(id)
	return !m.gone && m.volume == 0 && len(m.disk.log.Damaged()) == 0
}

// drawChange draws a change that may or may not be possible.
func (f *faults) drawChange(ms protocol.Membership) membership.Change {
	voters, learners := ms.Voters(), ms.Learners()
	var ch membership.Change
	if len(learners) > 0 && f.r.percent(60) {
		if id := pick(f.r, learners); f.c.isSound(id) {
			ch.Promote = []protocol.MemberID{id}
		}
	}
	switch n := f.r.IntN(10); {
	case n < 3 || len(voters) == 0:
		if x := f.c.newcomer(ms); x != nil {
			ch.Add = []protocol.Member{address(x.id)}
		}
	case n < 5 && len(voters) > 2:
		ch.Remove = []protocol.MemberID{pick(f.r, voters)}
	case n < 6 && len(voters) > 2:
		ch.Demote = []protocol.MemberID{pick(f.r, voters)}
	case n < 7 && len(learners) > 0:
		ch.Remove = []protocol.MemberID{pick(f.r, learners)}
	case n < 8:
		ch.Update = []protocol.Member{f.moved(pick(f.r, voters))}
	}
	return ch
}

// moved is a member at a new address.
func (f *faults) moved(id protocol.MemberID) protocol.Member {
	x := address(id)
	x.Address += fmt.Sprint("-", f.c.clock.now)
	return x
}

func (c *Cluster) ask(m *member, ch membership.Change) {
	c.asked++
	m.step(replica.Change{ID: c.asked, Change: ch})
}

// answered takes what became of a change that was asked for.
func (c *Cluster) answered(m *member, a replica.ChangeAnswer) {
	if a.Refused == nil {
		c.coverage.Changes[0]++
		if a.ID != 0 { // somebody has asked for it
			c.made = a.Entry
		}
		return
	}
	if a.Refused.Reason == 0 || int(a.Refused.Reason) >= changeAnswers || a.Refused.Text == "" {
		c.fail(Membership, "member %d refuses a change without a reason: %+v", m.id, a.Refused)
		return
	}
	c.coverage.Changes[a.Refused.Reason]++
}

// told takes the news of a configuration: who has been removed is stopped sooner or later.
func (m *member) told(ch *replica.MembershipChange) {
	if ch.Foreign {
		m.fenceVolume()
	}
	if !ch.Removed || !m.c.faults.r.percent(70) {
		return
	}
	m.after(m.c.faults.r.between(0, 300*Millisecond), func() {
		m.c.note(m, "was removed and is stopped")
		m.gone = true
		m.crash()
	})
}

// wipe destroys the disk of a member for good, where the others can do without.
func (f *faults) wipe() {
	m := f.victim()
	if m == nil || !f.c.spare(m) {
		return
	}
	f.c.struck(Wipe)
	m.crash()
	f.c.note(m, "its disk is lost for good")
	m.gone, m.disk = true, disk{}
}

// mendMembership asks who leads, in peace, to take out those who are gone, and then for one
// change more. It reports whether all of that has been done.
func (c *Cluster) mendMembership(ask bool) bool {
	l := c.leader()
	if c.options.Faults&(Changes|losses) == 0 {
		return true
	}
	if l == nil || membership.IsJoint(l.config) || !c.check.isSettled(l) {
		return false
	}
	var lost []protocol.MemberID
	for _, id := range everybody(l.config) {
		if c.member(id).gone {
			lost = append(lost, id)
		}
	}
	switch {
	case len(lost) > 0 && ask:
		c.ask(l, membership.Change{Remove: lost[:1]})
	case len(lost) == 0 && c.made == protocol.EntryID{} && ask:
		c.ask(l, membership.Change{Update: []protocol.Member{c.faults.moved(l.id)}})
	}
	return len(lost) == 0 && c.made != protocol.EntryID{}
}

// overlap checks that a majority of a configuration meets every majority of the one after
// it: for each way to divide the voters, not both parts may decide.
func (k *checker) overlap(m *member, before, after protocol.Membership) {
	all := append(everybody(before), everybody(after)...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > 12 || len(everybody(before)) == 0 {
		return
	}
	for side := range 1 << len(all) {
		on := func(id protocol.MemberID) bool { return side&(1<<slices.Index(all, id)) != 0 }
		off := func(id protocol.MemberID) bool { return !on(id) }
		if reached(before, on) && reached(after, off) {
			k.c.fail(Membership, "member %d goes from the configuration %+v to %+v, which can decide without a voter in common", m.id, before, after)
			return
		}
	}
}

// configured looks at a configuration that is committed for the first time.
func (k *checker) configured(m *member, at protocol.Index, payload []byte) {
	next := m.membership(payload)
	was, is := everybody(k.config), everybody(next)
	for _, id := range is {
		if k.removed[id] {
			k.c.fail(Membership, "member %d is in the configuration at index %d again: it was removed before", id, at)
		}
	}
	for _, id := range was {
		if !slices.Contains(is, id) {
			k.removed[id] = true
		}
	}
	k.c.coverage.transition(k.config, next)
	k.config, k.configAt = next, k.committed[at-1].id
}

// isSettled reports whether the configuration in effect at a member is committed.
func (k *checker) isSettled(m *member) bool {
	return slices.Equal(m.config.Members, k.config.Members) && slices.Equal(m.config.Outgoing, k.config.Outgoing)
}

// settled reports whether all who have a part in the committed configuration know no other.
func (k *checker) settled() bool {
	for _, id := range everybody(k.config) {
		if m := k.c.member(id); !m.gone && !k.isSettled(m) {
			return false
		}
	}
	return !membership.IsJoint(k.config)
}
