package plan

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/node/nodeapi"
)

// The reasons of changes that are no kinds of faults.
const (
	reasonReplicas = "Replicas" // spec.replicas differs
	reasonFound    = "Found"    // the group says something else of a member than status does
)

// continueChange takes the change of the membership that is under way one step further.
// While it waits, the rules below go on: a member that can be mended is mended.
func continueChange(p *pass) *Decision {
	c := p.Cluster.Status.Change
	if c == nil {
		return nil
	}
	if d := p.abandon(c); d != nil {
		return d
	}
	switch c.Step {
	case v1alpha1.StepAdding:
		return p.addJoiner(c)
	case v1alpha1.StepPromoting:
		return p.promoteJoiner(c)
	case v1alpha1.StepRemoving:
		return p.removeLeaver(c)
	}
	return p.cleanUp(c)
}

// addJoiner makes a learner of the member that joins: its volume is named in its slot and
// on its claim before the group hears of it.
func (p *pass) addJoiner(c *v1alpha1.MembershipChange) *Decision {
	m := p.Member(c.Joining)
	switch {
	case m.Status == nil || m.Status.Incarnation == "":
		return p.awaitStart(c, m)
	case m.Latched.Incarnation == "":
		return p.step(Action{Kind: LatchFounder, Member: m.ID, Incarnation: m.Status.Incarnation}, "its volume is "+m.Status.Incarnation)
	case p.Claim(m) == nil:
		return p.wait(c, "its claim is not there yet")
	case p.Info(m.ID) != nil:
		next := *c
		next.Step = v1alpha1.StepPromoting
		return p.latchChange(&next, "it catches up with the others")
	case !p.Served() || !p.Settled():
		return p.wait(c, p.unsettled())
	}
	return p.step(Action{Kind: AddMember, Member: m.ID, Incarnation: m.Latched.Incarnation}, "it is taken in as a learner")
}

// promoteJoiner makes a voter of a learner that has caught up. Where it takes another's
// place, that one goes in the same step, so that the group is never smaller or larger. Only a
// leader that is the only voter goes in a step of its own: it has nobody else to hand over to.
func (p *pass) promoteJoiner(c *v1alpha1.MembershipChange) *Decision {
	m, info := p.Member(c.Joining), p.Info(c.Joining)
	leaving := p.Member(c.Leaving)
	leads := leaving != nil && p.leads(leaving)
	switch unwell := p.unwell(c.Leaving); {
	case !p.Served() || !p.Settled():
		return p.wait(c, p.unsettled())
	case info == nil: // somebody took it out of the group
		return p.latchChange(p.begin(v1alpha1.ChangeAbandon, v1alpha1.StepRemoving, 0, m.ID, c.Reason), "it is not in the group any more")
	case info.Suffrage == nodeapi.SuffrageVoter && p.Info(c.Leaving) == nil:
		return p.promoted(c)
	case info.Suffrage == nodeapi.SuffrageVoter:
		next := *c
		next.Step = v1alpha1.StepRemoving
		return p.latchChange(&next, "it has a vote, and the other one leaves next")
	case !p.Well(m) || !p.CaughtUp(m):
		return p.wait(c, "it has not caught up with the others yet"+p.progressOf(m)+trouble(m))
	case !p.wouldServe(c.Joining, c.Leaving):
		return p.wait(c, "too few of the voters that there would be are well")
	case c.Kind == v1alpha1.ChangeMove && unwell != nil:
		return p.wait(c, "member "+unwell.Name+" is not well"+p.whyUnwell(unwell))
	case leads && len(p.Voters()) == 1:
		return p.step(Action{Kind: ChangeVoters, Promote: c.Joining}, "it gets a vote, so that the leader can hand over to it")
	case leads:
		return p.handOver(leaving)
	}
	return p.step(Action{Kind: ChangeVoters, Promote: c.Joining, Remove: c.Leaving}, "it gets a vote")
}

// promoted ends a change whose member has its vote, or goes on with the one that it replaced.
func (p *pass) promoted(c *v1alpha1.MembershipChange) *Decision {
	if c.Leaving == 0 {
		return p.step(Action{Kind: LatchDone}, "it has a vote")
	}
	next := *c
	next.Step = v1alpha1.StepCleaningUp
	return p.latchChange(&next, "it has a vote, and the other has left")
}

// removeLeaver takes a member out of the group. A leader hands over first.
func (p *pass) removeLeaver(c *v1alpha1.MembershipChange) *Decision {
	m, info := p.Member(c.Leaving), p.Info(c.Leaving)
	switch {
	case !p.Served() || !p.Settled():
		return p.wait(c, p.unsettled())
	case info == nil:
		next := *c
		next.Step = v1alpha1.StepCleaningUp
		return p.latchChange(&next, "it has left the group")
	case info.Suffrage == nodeapi.SuffrageLearner:
		return p.step(Action{Kind: ChangeVoters, Remove: m.ID}, "it is taken out of the group")
	case c.Kind == v1alpha1.ChangeScaleDown && int(p.Cluster.Spec.Replicas) >= len(p.Voters()):
		return p.step(Action{Kind: LatchDone}, fmt.Sprintf("it stays, because spec.replicas is %d", p.Cluster.Spec.Replicas))
	case c.Kind == v1alpha1.ChangeScaleDown && p.Well(m) && p.illBeside(m) != nil:
		return p.step(Action{Kind: LatchDone}, "it stays, because "+p.illBeside(m).Name+" is ill")
	case p.leads(m):
		return p.handOver(m)
	case !p.wouldServe(0, m.ID):
		return p.wait(c, "too few of the voters that would be left are well")
	}
	return p.step(Action{Kind: ChangeVoters, Remove: m.ID}, "it is taken out of the group")
}

// abandon ends a change whose member that joins is not wanted any more, or cannot be had
// under its ID, before it has a vote.
func (p *pass) abandon(c *v1alpha1.MembershipChange) *Decision {
	m := p.Member(c.Joining)
	if m == nil || c.Step == v1alpha1.StepCleaningUp || p.Membership() == nil || p.Votes(m) {
		return nil
	}
	why := p.whyAbandon(c, m)
	if why == "" {
		return nil
	}
	return p.latchChange(p.begin(v1alpha1.ChangeAbandon, v1alpha1.StepRemoving, 0, m.ID, c.Reason), "it is taken away again, because "+why)
}

func (p *pass) whyAbandon(c *v1alpha1.MembershipChange, joiner *observe.Member) string {
	voters, want := len(p.Voters()), int(p.Cluster.Spec.Replicas)
	replaces := c.Leaving != 0
	victim := p.Member(c.Leaving)
	switch f := p.Fault(joiner); {
	case f != nil && p.needsAnotherID(joiner, f):
		return "it has the fault " + f.Kind + ": " + f.Message
	case !replaces && want <= voters, replaces && want < voters:
		return fmt.Sprintf("spec.replicas is %d", want)
	case c.Kind == v1alpha1.ChangeReplace && victim != nil && p.Well(victim):
		return "member " + victim.Name + " is well again"
	}
	return p.whyOtherVolume(c, joiner)
}

// begin gives a change that begins now.
func (p *pass) begin(kind v1alpha1.ChangeKind, step v1alpha1.ChangeStep, joining, leaving int64, reason string) *v1alpha1.MembershipChange {
	return &v1alpha1.MembershipChange{
		Kind: kind, Step: step, Joining: joining, Leaving: leaving, Reason: reason,
		StartedAt: metav1.NewTime(p.Now).Rfc3339Copy(),
	}
}

// latchChange remembers a change before anything is done for it.
func (p *pass) latchChange(c *v1alpha1.MembershipChange, what string) *Decision {
	d := act(Action{Kind: LatchChange, Change: c}, reasonOf(c), p.about(c)+": "+what)
	d.Requeue = PollStart
	return d
}

// step does something for the change that is under way.
func (p *pass) step(a Action, what string) *Decision {
	c := p.Cluster.Status.Change
	d := act(a, reasonOf(c), p.about(c)+": "+what)
	d.Requeue = PollStart
	return d
}

// handOver asks a leader that is about to leave to hand over first.
func (p *pass) handOver(m *observe.Member) *Decision {
	return p.step(Action{Kind: Transfer, Member: m.ID, PodUID: m.Pod.UID, Why: "it leaves the group"}, m.Name+" leads, and hands over first")
}

// wait notes what a change waits for; what takes very long is a refusal.
func (p *pass) wait(c *v1alpha1.MembershipChange, what string) *Decision {
	p.soon(PollBusy)
	if p.Now.Sub(c.StartedAt.Time) > patience {
		p.note(false, v1alpha1.ReasonMembershipStuck, fmt.Sprintf("%s, for more than %s: %s", p.about(c), patience, what))
		return nil
	}
	p.note(true, reasonOf(c), p.about(c)+": "+what)
	return nil
}

// progressOf says how much of the leader's log a member has that has not caught up, in steps of
// ten percent, so that not every look says something else.
func (p *pass) progressOf(m *observe.Member) string {
	leader := p.Leader()
	if leader == nil || m.Status == nil || p.CaughtUp(m) {
		return ""
	}
	has, all := m.Status.LastIndex, leader.Status.CommitIndex
	return fmt.Sprintf(", and has %d %% of the leader's log", has*10/all*10)
}

// unsettled says why the group takes no change now.
func (p *pass) unsettled() string {
	if !p.Served() {
		return "no leader is followed by a quorum"
	}
	return "the group has not settled an earlier change yet"
}

// about names a change, for people.
func (p *pass) about(c *v1alpha1.MembershipChange) string {
	joining, leaving := p.Cluster.MemberName(c.Joining), p.Cluster.MemberName(c.Leaving)
	switch c.Kind {
	case v1alpha1.ChangeScaleUp:
		return "member " + joining + " joins"
	case v1alpha1.ChangeReplace, v1alpha1.ChangeMove:
		return fmt.Sprintf("member %s takes the place of %s (%s)", joining, leaving, c.Reason)
	case v1alpha1.ChangeAbandon:
		return "member " + leaving + " does not join"
	}
	return "member " + leaving + " leaves"
}

// changing is the reason of Progressing while the membership changes, or objects do.
func (p *pass) changing() string {
	if c := p.Cluster.Status.Change; c != nil {
		return reasonOf(c)
	}
	return v1alpha1.ReasonCreating
}

func reasonOf(c *v1alpha1.MembershipChange) string {
	switch c.Kind {
	case v1alpha1.ChangeReplace:
		return v1alpha1.ReasonReplacing
	case v1alpha1.ChangeMove:
		return v1alpha1.ReasonMoving
	}
	return v1alpha1.ReasonScaling
}
