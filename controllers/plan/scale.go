package plan

import (
	"fmt"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// scale begins a change when the number of voters is not the wanted one: one member joins, or
// one leaves, and then the next. It waits for a roll-out, and until every member is well; but
// an ill one leaves as soon as the others can do without it.
func scale(p *pass) *Decision {
	s := &p.Cluster.Status
	have, want := len(p.Voters()), int(p.Cluster.Spec.Replicas)
	if s.Change != nil || !s.Bootstrapped || have == want || p.strange() != 0 {
		return nil
	}
	var victim *observe.Member
	if want < have {
		victim = p.victim()
	}
	if want < have && victim == nil || !p.mayScale(victim, fmt.Sprintf("from %d to %d members", have, want)) {
		return nil
	}
	if victim != nil {
		return p.latchChange(p.begin(v1alpha1.ChangeScaleDown, v1alpha1.StepRemoving, 0, victim.ID, reasonReplicas), fmt.Sprintf("spec.replicas is %d", want))
	}
	return p.latchChange(p.begin(v1alpha1.ChangeScaleUp, v1alpha1.StepAdding, p.newID(), 0, reasonReplicas), fmt.Sprintf("spec.replicas is %d", want))
}

// victim is the member that leaves: an ill one, or else the highest ID that does not lead.
func (p *pass) victim() *observe.Member {
	var ill, well *observe.Member
	for i := range p.Members {
		switch m := &p.Members[i]; {
		case !p.Votes(m):
		case p.ill(m):
			ill = m
		case !p.leads(m):
			well = m
		}
	}
	if ill != nil {
		return ill
	}
	return well
}

// mayScale tells whether a change of the number of members may begin, and notes why not.
func (p *pass) mayScale(victim *observe.Member, how string) bool {
	except := int64(0)
	if victim != nil && p.ill(victim) {
		except = victim.ID
		if p.Served() && p.Settled() && p.wouldServe(0, except) {
			return true
		}
	}
	return p.mayChange(except, intent{
		reason: v1alpha1.ReasonScaling, blocked: v1alpha1.ReasonScaleBlocked,
		before: "the group is scaled " + how, not: "the group is not scaled " + how,
	})
}

// newID is an ID that no member ever had.
func (p *pass) newID() int64 {
	id := p.Cluster.Status.HighestMemberID
	for i := range p.Members {
		id = max(id, p.Members[i].ID)
	}
	if c := p.Membership(); c != nil {
		id = max(id, int64(c.Highest)) //nolint:gosec // IDs are small
	}
	for name := range p.Claims {
		if n, ok := p.memberOf(claimedBy(name)); ok {
			id = max(id, n)
		}
	}
	for name := range p.sets() {
		if n, ok := p.memberOf(name); ok {
			id = max(id, n)
		}
	}
	return id + 1
}
