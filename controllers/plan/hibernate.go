package plan

import (
	"strings"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// hibernate stops all members at once: what was acknowledged is on their volumes, and
// there is nobody to hand leadership over to. Everything else waits until the cluster
// wakes, as it stands: a roll-out, a change of the members, a restart that was counted.
func hibernate(p *pass) *Decision {
	if !p.Cluster.Spec.Hibernated {
		return nil
	}
	running := p.names(func(m *observe.Member) bool { return !m.Stopped() })
	if len(running) > 0 {
		message := "spec.hibernated is set: stopping " + strings.Join(running, ", ")
		return act(Action{Kind: StopMembers, Why: message}, v1alpha1.ReasonHibernating, message)
	}
	ending := p.names(func(m *observe.Member) bool { return m.Pod != nil })
	if len(ending) > 0 {
		return &Decision{
			Action:   Action{Kind: None},
			Progress: Progress{Active: true, Reason: v1alpha1.ReasonHibernating, Message: "waiting for the pods of " + strings.Join(ending, ", ") + " to end"},
			Requeue:  PollBusy,
		}
	}
	return &Decision{
		Action:   Action{Kind: None},
		Progress: Progress{Reason: v1alpha1.ReasonHibernated, Message: "spec.hibernated is set: no pod runs, the volumes stay; unset it to get all members back"},
	}
}

// wake starts all members that are stopped, at the same time: they need each other. What
// changed meanwhile in the template reaches them with that, for nobody serves there. A member
// that has left the group is not started again.
func wake(p *pass) *Decision {
	stopped := p.names(func(m *observe.Member) bool { return m.Set != nil && m.Stopped() && !p.Cluster.Status.Gone(m.ID) })
	if len(stopped) == 0 {
		return nil
	}
	message := "starting " + strings.Join(stopped, ", ")
	return act(Action{Kind: StartMembers, Why: message}, v1alpha1.ReasonWaking, message)
}

// names gives the names of the members of which something holds, by ID.
func (p *pass) names(holds func(*observe.Member) bool) []string {
	var all []string
	for i := range p.Members {
		if m := &p.Members[i]; holds(m) {
			all = append(all, m.Name)
		}
	}
	return all
}
