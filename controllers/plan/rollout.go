package plan

import (
	"cmp"
	"time"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// patience is how long a changed pod may take to get ready before a roll-out counts as
// stuck. It goes on when the pod gets ready after all.
const patience = 10 * time.Minute

// updateBrokenMembers gives members that serve nobody the wanted pod at once: a fix must
// reach the member that needs it, and taking it away costs nothing. Not ready counts by
// the kubelet's word alone: what the operator cannot reach may well serve.
func updateBrokenMembers(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		if ready, _ := m.Ready(); ready || !p.outdated(m) {
			continue
		}
		if d := p.update(m); d != nil {
			return d
		}
	}
	return nil
}

// rollOut brings the wanted pod to the members one at a time: followers first, the
// leader last and after a transfer. It goes on only while every other member is well
// and has caught up.
func rollOut(p *pass) *Decision {
	victim := p.nextOutdated()
	if victim == nil {
		return nil
	}
	for i := range p.Members {
		if m := &p.Members[i]; m.ID != victim.ID && !(p.Well(m) && p.CaughtUp(m)) {
			p.noteBlocked(victim, m)
			return nil
		}
	}
	if victim.TemplateHash() == p.want.Templates[victim.ID] && p.leads(victim) && len(p.Members) > 1 {
		return act(Action{Kind: Transfer, Member: victim.ID, PodUID: victim.Pod.UID}, v1alpha1.ReasonRollingOut,
			"leader "+victim.Name+" hands over, because it is restarted next")
	}
	return p.update(victim)
}

// nextOutdated is the next member of a roll-out, nil when there is none: one that is not
// well, since everybody else waits for it anyway; a follower; and the leader last.
func (p *pass) nextOutdated() *observe.Member {
	var unwell, follower, leader *observe.Member
	for i := range p.Members {
		m := &p.Members[i]
		switch {
		case !p.outdated(m):
		case p.leads(m):
			leader = cmp.Or(leader, m)
		case !p.Well(m):
			unwell = cmp.Or(unwell, m)
		default:
			follower = cmp.Or(follower, m)
		}
	}
	return cmp.Or(unwell, follower, leader)
}

func (p *pass) leads(m *observe.Member) bool {
	leader := p.Leader()
	return leader != nil && leader.ID == m.ID
}

func (p *pass) outdated(m *observe.Member) bool {
	want := p.want.Templates[m.ID]
	return m.TemplateHash() != want || m.Pod != nil && m.PodHash() != want
}

// update is the next step for one member: first the StatefulSet, then the pod. nil while
// the old pod is on its way out.
func (p *pass) update(m *observe.Member) *Decision {
	message := "member " + m.Name + " gets the changed pod"
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

// noteBlocked says why a roll-out does not go on. Only what does not pass by itself is a
// refusal: an election or a start is waited for.
func (p *pass) noteBlocked(victim, blocker *observe.Member) {
	p.soon(PollBusy)
	why := trouble(blocker)
	if f := p.Fault(blocker); f != nil {
		why = " (" + f.Kind + ": " + f.Message + ")"
	}
	ready, since := blocker.Ready()
	updated := !p.outdated(blocker)
	switch {
	case p.Well(blocker) && p.Leader() == nil:
		p.note(true, v1alpha1.ReasonRollingOut, "waiting for a leader before "+victim.Name+" is changed")
	case updated && why == "" && !ready && !since.IsZero() && p.Now.Sub(since) > patience:
		p.note(false, v1alpha1.ReasonRolloutStuck, "member "+blocker.Name+" did not get ready with the changed pod in "+patience.String()+"; the other members keep the old one")
	case updated && why != "":
		p.note(false, v1alpha1.ReasonRolloutStuck, "member "+blocker.Name+" does not get well with the changed pod"+why+"; the other members keep the old one")
	case updated:
		p.note(true, v1alpha1.ReasonRollingOut, "waiting for member "+blocker.Name+" to get well and to catch up before "+victim.Name+" is changed")
	case blocker.Status == nil && why == "":
		p.note(false, v1alpha1.ReasonRolloutBlocked, "member "+victim.Name+" is not changed while member "+blocker.Name+" does not answer the operator")
	default:
		p.note(false, v1alpha1.ReasonRolloutBlocked, "member "+victim.Name+" is not changed while member "+blocker.Name+" is not well"+why)
	}
}
