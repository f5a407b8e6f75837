package plan

import (
	"fmt"
	"slices"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// wouldServe tells whether the voters that there would be had a quorum that is well and has
// caught up, with one that joins and without one that leaves; 0 is none.
func (p *pass) wouldServe(joining, leaving int64) bool {
	voters := slices.DeleteFunc(p.Voters(), func(id int64) bool { return id == leaving || id == joining })
	if joining != 0 {
		voters = append(voters, joining)
	}
	n := 0
	for _, id := range voters {
		if m := p.Member(id); m != nil && p.Follows(m) && p.CaughtUp(m) {
			n++
		}
	}
	return len(voters) > 0 && n >= len(voters)/2+1
}

// wellBeside counts the voters other than m that are well, whoever they follow.
func (p *pass) wellBeside(m *observe.Member) int {
	n := 0
	for i := range p.Members {
		if x := &p.Members[i]; x.ID != m.ID && p.Votes(x) && p.Well(x) {
			n++
		}
	}
	return n
}

// ill tells whether a member has a fault that does not end by itself.
func (p *pass) ill(m *observe.Member) bool {
	f := p.Fault(m)
	return f != nil && f.Unrecoverable()
}

// illBeside gives a voter other than m that is ill, nil for none.
func (p *pass) illBeside(m *observe.Member) *observe.Member {
	for i := range p.Members {
		if x := &p.Members[i]; x.ID != m.ID && p.Votes(x) && p.ill(x) {
			return x
		}
	}
	return nil
}

// unwell gives a voter other than except that is not well or has not caught up, nil for none.
func (p *pass) unwell(except int64) *observe.Member {
	for i := range p.Members {
		if m := &p.Members[i]; m.ID != except && p.Votes(m) && !(p.Follows(m) && p.CaughtUp(m)) {
			return m
		}
	}
	return nil
}

// intent is a change that is about to begin, as its gates speak of it.
type intent struct {
	reason, blocked string // of Progressing, while it waits and while a person should act
	before, not     string // that it begins, and that it does not
}

// mayChange tells whether a change that can wait may begin: all voters but the excepted one, 0 for
// none, are well and have the wanted pod. What does not hold is noted.
func (p *pass) mayChange(except int64, x intent) bool {
	m, lacking := p.unwell(except), p.lacking()
	switch {
	case lacking != nil && !p.Served():
		p.note(false, x.blocked, x.not+" while member "+lacking.Name+" is not well"+p.whyAway(lacking)+": those that can run are no quorum, and only a quorum changes who is a member")
	case !p.Served():
		p.note(true, x.reason, "waiting for a leader that a quorum follows, before "+x.before)
	case !p.Settled():
		p.note(true, x.reason, "waiting for the group to settle an earlier change, before "+x.before)
	case m != nil && p.whyUnwell(m) != "":
		p.note(false, x.blocked, x.not+" while member "+m.Name+" is not well"+p.whyUnwell(m))
	case m != nil:
		p.note(true, x.reason, "waiting for member "+m.Name+" to get well and to catch up, before "+x.before)
	case p.nextOutdated() != nil:
		p.note(true, x.reason, "waiting for the roll-out of a changed pod, before "+x.before)
	default:
		return true
	}
	p.soon(PollBusy)
	return false
}

// lacking gives a voter that cannot run as it is and without which there is no quorum, nil for
// none: no election ends that.
func (p *pass) lacking() *observe.Member {
	if p.canRun() >= p.Quorum() {
		return nil
	}
	for i := range p.Members {
		if m := &p.Members[i]; p.Votes(m) && p.cannotRun(m) {
			return m
		}
	}
	return nil
}

// whyAway says in brackets why a member is not well, in words that stay the same for as long as the
// cause does; empty when it is not known.
func (p *pass) whyAway(m *observe.Member) string {
	if f := p.Fault(m); f != nil {
		return parenthesised(f.Kind + ": " + f.Message)
	}
	return parenthesised(m.Obstacle())
}

// whyUnwell says why a member is not well, in brackets; empty when that is not known.
func (p *pass) whyUnwell(m *observe.Member) string {
	if f := p.Fault(m); f != nil {
		return " (" + f.Kind + ": " + f.Message + ")"
	}
	return trouble(m)
}

// strange gives a member that the group has and this RaftCluster has not, 0 for none.
func (p *pass) strange() uint64 {
	if c := p.Membership(); c != nil {
		for i := range c.Members {
			if id := c.Members[i].ID; p.Member(int64(id)) == nil { //nolint:gosec // IDs are small
				return id
			}
		}
	}
	return 0
}

// leftOver tells whether a member that status does not know is one that was given up: its
// learner came to the group by a request whose answer was not waited for.
func (p *pass) leftOver(info *nodeapi.MemberInfo) bool {
	id := int64(info.ID) //nolint:gosec // IDs are small
	return info.Suffrage == nodeapi.SuffrageLearner && id <= p.Cluster.Status.HighestMemberID && info.Name == p.Cluster.MemberName(id)
}

// lingering gives a member that has left the group, that status does not know any more, and whose
// StatefulSet is still there, 0 for none. Status was lost while it left.
func (p *pass) lingering() int64 {
	lowest := int64(0)
	for name := range p.sets() {
		id, ok := p.memberOf(name)
		if ok && p.Info(id) == nil && uint64(id) <= p.Membership().Highest && (lowest == 0 || id < lowest) { //nolint:gosec // IDs are positive
			lowest = id
		}
	}
	return lowest
}

// settleMembers finds members of whom the group says something else than status does, while
// no change is under way: they were taken up from volumes in the middle of one, or somebody
// else changed the group. What the group says counts.
func settleMembers(p *pass) *Decision {
	s := &p.Cluster.Status
	switch {
	case s.Change != nil || !s.Bootstrapped:
		return nil
	case !p.Served() || !p.Settled():
		p.noteStrange()
		return nil
	}
	for i := range p.Members {
		m := &p.Members[i]
		info := p.Info(m.ID)
		switch {
		case info == nil && uint64(m.ID) <= p.Membership().Highest: //nolint:gosec // IDs are positive
			return p.latchChange(p.begin(v1alpha1.ChangeScaleDown, v1alpha1.StepCleaningUp, 0, m.ID, reasonFound), "it is not in the group any more")
		case info == nil, !p.Votes(m):
			return p.latchChange(p.begin(v1alpha1.ChangeScaleUp, v1alpha1.StepAdding, m.ID, 0, reasonFound), "it has no vote yet")
		}
	}
	if id := p.lingering(); id != 0 {
		return p.latchChange(p.begin(v1alpha1.ChangeScaleDown, v1alpha1.StepCleaningUp, 0, id, reasonFound), "it has left the group, and its StatefulSet is still there")
	}
	id := p.strange()
	if info := p.Info(int64(id)); info != nil && p.leftOver(info) { //nolint:gosec // IDs are small
		d := act(Action{Kind: ChangeVoters, Remove: int64(id)}, v1alpha1.ReasonScaling, "member "+info.Name+" was given up before it joined, and is taken out of the group") //nolint:gosec // IDs are small
		return d
	}
	p.noteStrange()
	return nil
}

// noteStrange tells of a member that somebody else added.
func (p *pass) noteStrange() {
	id := p.strange()
	if info := p.Info(int64(id)); info != nil && !p.leftOver(info) { //nolint:gosec // IDs are small
		p.note(false, v1alpha1.ReasonMembershipUnclear, fmt.Sprintf(
			"the group has a member %d that this RaftCluster does not know; remove it by its ID, nothing is changed before", id))
	}
}
