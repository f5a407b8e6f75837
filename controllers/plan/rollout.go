package plan

import (
	"cmp"
	"fmt"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// patience is how long a changed pod may take to get ready before a roll-out counts as
// stuck. It goes on when the pod gets ready after all.
const patience = 10 * time.Minute

// rollOut brings the wanted pod to the members one at a time: followers first, the
// leader last and after a transfer. It goes on only while every other member is well
// and has caught up, and those that were changed have been well for minReadySeconds.
func rollOut(p *pass) *Decision {
	victim := p.nextOutdated()
	if victim == nil || p.uncertain() {
		return nil
	}
	if reason, message := p.skew(); reason != "" {
		p.note(false, reason, message)
		return nil
	}
	if m := p.blocker(victim); m != nil {
		p.noteBlocked(victim, m)
		return nil
	}
	if m, left := p.justChanged(victim); m != nil {
		p.note(true, v1alpha1.ReasonRollingOut, fmt.Sprintf("member %s has the changed pod and must be ready for %v before %s is changed; %s",
			m.Name, p.minReady(), victim.Name, p.progress()))
		p.soon(left)
		return nil
	}
	if victim.TemplateHash() == p.want.Templates[victim.ID] && p.leads(victim) && len(p.Members) > 1 {
		return act(Action{Kind: Transfer, Member: victim.ID, PodUID: victim.Pod.UID}, v1alpha1.ReasonRollingOut,
			"leader "+victim.Name+" hands over, because it is restarted next; "+p.progress())
	}
	return p.change(victim)
}

// nextOutdated is the next member of a roll-out, nil when there is none: one whose
// StatefulSet has a change that its pod has not, so that no two have one untried; one that is not
// well, since everybody else waits for it anyway; a follower; and the leader last.
func (p *pass) nextOutdated() *observe.Member {
	var begun, unwell, follower, leader *observe.Member
	for i := range p.Members {
		m := &p.Members[i]
		switch {
		case !p.outdated(m):
		case m.TemplateHash() == p.want.Templates[m.ID], p.Cluster.Status.Canary == m.ID && m.TemplateHash() != m.PodHash():
			begun = cmp.Or(begun, m)
		case p.leads(m):
			leader = cmp.Or(leader, m)
		case !p.Well(m):
			unwell = cmp.Or(unwell, m)
		default:
			follower = cmp.Or(follower, m)
		}
	}
	return cmp.Or(begun, unwell, follower, leader)
}

func (p *pass) leads(m *observe.Member) bool {
	leader := p.Leader()
	return leader != nil && leader.ID == m.ID
}

func (p *pass) outdated(m *observe.Member) bool {
	want := p.want.Templates[m.ID]
	if m.Set == nil || p.Cluster.Status.Gone(m.ID) {
		return false // it is to be created, or what is left of it is not changed any more
	}
	return m.TemplateHash() != want || m.Pod != nil && m.PodHash() != want
}

// updated counts the members that have the wanted pod.
func (p *pass) updated() int {
	n := 0
	for i := range p.Members {
		if m := &p.Members[i]; m.Pod != nil && !p.outdated(m) {
			n++
		}
	}
	return n
}

func (p *pass) progress() string {
	return fmt.Sprintf("%d of %d members have the changed pod", p.updated(), len(p.Members))
}

func (p *pass) minReady() time.Duration {
	if s := p.Cluster.Spec.UpdateStrategy.MinReadySeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 0
}

// justChanged gives a member beside the victim that has the changed pod and was ready for
// less than minReadySeconds, and what is missing.
func (p *pass) justChanged(victim *observe.Member) (m *observe.Member, left time.Duration) {
	for i := range p.Members {
		x := &p.Members[i]
		since, _ := p.WellSince(x)
		if left := p.minReady() - p.Now.Sub(since); x.ID != victim.ID && !p.outdated(x) && left > 0 {
			return x, left
		}
	}
	return nil, 0
}

// update is the next step for one member: first the StatefulSet, then the pod. nil while
// the old pod is on its way out.
func (p *pass) update(m *observe.Member) *Decision {
	message := "member " + m.Name + " gets the changed pod; " + p.progress()
	if m.TemplateHash() != p.want.Templates[m.ID] {
		return act(Action{Kind: ApplyMember, Member: m.ID}, v1alpha1.ReasonRollingOut, message)
	}
	// Kubernetes must have seen the template, or it makes the old pod once more.
	seen := m.Set.Status.ObservedGeneration >= m.Set.Generation
	if m.Pod == nil || m.Pod.DeletionTimestamp != nil || !seen {
		p.note(true, v1alpha1.ReasonRollingOut, message)
		p.soon(PollBusy)
		return nil
	}
	ready, _ := m.Ready()
	return act(Action{Kind: RestartPod, Member: m.ID, PodUID: m.Pod.UID, MayServe: ready, Why: "the pod is outdated"},
		v1alpha1.ReasonRollingOut, message)
}

// blocker gives a member because of which another one is not changed, nil for none: first
// one that is known to suffer from the change, then one that is known to suffer.
func (p *pass) blocker(victim *observe.Member) *observe.Member {
	var changed, suffering, any *observe.Member
	for i := range p.Members {
		m := &p.Members[i]
		if m.ID == victim.ID || p.Well(m) && p.CaughtUp(m) {
			continue
		}
		any = cmp.Or(any, m)
		if p.Fault(m) == nil && m.Obstacle() == "" {
			continue
		}
		suffering = cmp.Or(suffering, m)
		if !p.outdated(m) {
			changed = cmp.Or(changed, m)
		}
	}
	return cmp.Or(changed, suffering, any)
}

// noteBlocked says why a roll-out does not go on. Only what does not pass by itself is a
// refusal: an election or a start is waited for.
func (p *pass) noteBlocked(victim, blocker *observe.Member) {
	p.soon(PollBusy)
	why, ofChange := blocker.Obstacle(), true
	if f := p.Fault(blocker); f != nil {
		why, ofChange = f.Kind+": "+f.Message, fromChange(f)
	}
	updated := !p.outdated(blocker)
	switch {
	case p.Well(blocker) && p.Leader() == nil:
		p.note(true, v1alpha1.ReasonRollingOut, "waiting for a leader before "+victim.Name+" is changed; "+p.progress())
	case updated && why != "" && ofChange:
		p.note(false, v1alpha1.ReasonRolloutStuck, fmt.Sprintf("member %s does not get well with the changed pod (%s); %s, and the others keep the old one", blocker.Name, why, p.progress()))
	case updated && blocker.Pod == nil && why == "":
		p.note(true, v1alpha1.ReasonRollingOut, fmt.Sprintf("waiting for Kubernetes to make the pod of member %s before %s is changed; %s", blocker.Name, victim.Name, p.progress()))
	case updated && !p.Well(blocker) && p.unreadyFor(blocker, patience):
		p.note(false, v1alpha1.ReasonRolloutStuck, fmt.Sprintf("member %s did not get ready with the changed pod in %v; %s, and the others keep the old one", blocker.Name, patience, p.progress()))
	case why == "" && (updated || blocker.Status != nil && !p.unreadyFor(blocker, aWhile)):
		p.note(true, v1alpha1.ReasonRollingOut, fmt.Sprintf("waiting for member %s to get well and to catch up before %s is changed; %s", blocker.Name, victim.Name, p.progress()))
	case blocker.Status == nil && why == "":
		p.note(false, v1alpha1.ReasonRolloutBlocked, "member "+victim.Name+" is not changed while member "+blocker.Name+" does not answer the operator")
	default:
		p.note(false, v1alpha1.ReasonRolloutBlocked, "member "+victim.Name+" is not changed while member "+blocker.Name+" is not well"+parenthesised(why))
	}
}

func parenthesised(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
