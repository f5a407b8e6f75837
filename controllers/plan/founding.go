package plan

import (
	"fmt"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// createMembers creates the StatefulSets that are missing. After the bootstrap that is
// safe as well: a volume that comes up empty is never granted anything.
func createMembers(p *pass) *Decision {
	for i := range p.Members {
		if m := &p.Members[i]; m.Set == nil {
			d := act(Action{Kind: CreateMember, Member: m.ID}, v1alpha1.ReasonCreating, "member "+m.Name+" is being created")
			return d
		}
	}
	return nil
}

// markClaims writes every filled slot on its member's claim, and again when the claim was
// made anew: what was founded once must be known when status is gone.
func markClaims(p *pass) *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		slot, claim := m.Latched.Incarnation, p.Claim(m)
		if slot == "" || claim == nil || claim.Annotations[v1alpha1.AnnotationFounded] == slot {
			continue
		}
		d := act(Action{Kind: MarkClaim, Member: m.ID, Incarnation: slot}, v1alpha1.ReasonFounding,
			fmt.Sprintf("the claim of member %s is marked with the volume incarnation %s", m.Name, slot))
		d.Requeue = PollStart
		return d
	}
	return nil
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
		if p.Fault(m) != nil {
			return nil // which is told by the rule about faults
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
