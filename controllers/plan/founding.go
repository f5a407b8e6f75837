package plan

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// createMembers creates the StatefulSets that are missing. After the bootstrap that is
// safe as well: a volume that comes up empty is never granted anything. What has left the
// group is not made again.
func createMembers(p *pass) *Decision {
	for i := range p.Members {
		if m := &p.Members[i]; m.Set == nil && !p.unwanted(m.ID) && !p.lacksCertificate(m) {
			d := act(Action{Kind: CreateMember, Member: m.ID}, v1alpha1.ReasonCreating, "member "+m.Name+" is being created")
			return d
		}
	}
	return nil
}

// unwanted tells whether a member has left, or was about to join and is not to any more.
func (p *pass) unwanted(id int64) bool {
	c := p.Cluster.Status.Change
	return c != nil && c.Leaving == id && (c.Step == v1alpha1.StepCleaningUp || c.Kind == v1alpha1.ChangeAbandon)
}

// markClaims writes what status knows of a member on its claim, and again when that changes
// or the claim was made anew: what was founded, and who has left, must be known when status
// is gone. Nothing is written before the member's slot is filled.
func markClaims(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		slot, claim := m.Latched.Incarnation, p.Claim(m)
		if slot == "" && !p.Cluster.Status.Gone(m.ID) || claim == nil || claim.DeletionTimestamp != nil || p.marked(m, claim) {
			continue
		}
		reason, message := v1alpha1.ReasonFounding, fmt.Sprintf("the claim of member %s is marked with the volume incarnation %s", m.Name, slot)
		if p.Cluster.Status.Bootstrapped {
			reason, message = p.changing(), "the claim of member "+m.Name+" is marked with who is a member"
		}
		d := act(Action{Kind: MarkClaim, Member: m.ID}, reason, message)
		d.Requeue = PollStart
		return d
	}
	return nil
}

// marked tells whether a claim carries its mark, and the label by which it is found.
func (p *pass) marked(m *observe.Member, claim *corev1.PersistentVolumeClaim) bool {
	for k, v := range p.want.Marks[m.ID] {
		if claim.Annotations[k] != v {
			return false
		}
	}
	return claim.Labels[v1alpha1.LabelCluster] == p.Cluster.Name
}

// foundMembers brings each member to its founding: slot, claim (the rule above), grant.
// See the package comment for the argument.
func foundMembers(p *pass) *Decision {
	if p.Cluster.Status.Bootstrapped {
		return nil
	}
	for i := range p.Members {
		if d := p.foundMember(&p.Members[i]); d != nil {
			return d
		}
	}
	return p.completeBootstrap()
}

// foundMember fills the slot of a member that has none, and grants to the volume in the
// slot. A member that acts without ever having asked was founded by its flags alone, by
// a node that does not wait: its slot then keeps every other volume out.
func (p *pass) foundMember(m *observe.Member) *Decision {
	if m.Status == nil || m.Status.Incarnation == "" || m.Status.Health != nil {
		return nil
	}
	incarnation := m.Status.Incarnation
	step := Action{Kind: LatchFounder, Member: m.ID, Incarnation: incarnation}
	switch {
	case m.Latched.Incarnation == "":
	case m.Latched.Incarnation != incarnation:
		return nil // another volume than the one in the slot: a fault, told as such
	case !m.Status.AwaitsFounding, p.Claim(m) == nil:
		return nil // it acts, or its claim cannot tell yet
	default:
		step.Kind = Found
	}
	d := act(step, v1alpha1.ReasonFounding, fmt.Sprintf("member %s is being founded on volume incarnation %s", m.Name, incarnation))
	d.Requeue = PollStart
	return d
}

// completeBootstrap closes the door when every member acts and one leads them all.
func (p *pass) completeBootstrap() *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		if f := p.Fault(m); f != nil {
			if !p.ill(m) { // or else the rule about faults tells
				p.note(true, v1alpha1.ReasonFounding, fmt.Sprintf("waiting for member %s, which has the fault %s: %s", m.Name, f.Kind, f.Message))
				p.soon(PollStart)
			}
			return nil
		}
		if m.Latched.Incarnation == "" || m.Status == nil || m.Status.AwaitsFounding || m.Status.Incarnation == "" {
			p.note(true, v1alpha1.ReasonFounding, "waiting for member "+m.Name+" in order to found it"+trouble(m))
			p.soon(PollStart)
			return nil
		}
	}
	if p.Leader() == nil {
		p.note(true, v1alpha1.ReasonFounding, "waiting for the first leader")
		p.soon(PollStart)
		return nil
	}
	return act(Action{Kind: LatchBootstrap}, v1alpha1.ReasonFounding, "every member was founded")
}

func trouble(m *observe.Member) string {
	if t := m.Trouble(); t != "" {
		return " (" + t + ")"
	}
	return ""
}
