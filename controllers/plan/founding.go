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

// foundMembers brings each member to its founding: slot, claim, grant. See the package
// comment for the argument.
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

func (p *pass) foundMember(m *observe.Member) *Decision {
	if m.Status == nil || !m.Status.AwaitsFounding {
		return p.latchActing(m)
	}
	incarnation := m.Status.Incarnation
	if incarnation == "" {
		return nil
	}
	message := fmt.Sprintf("member %s is being founded on volume incarnation %s", m.Name, incarnation)
	step := Action{Kind: LatchFounder, Member: m.ID, Incarnation: incarnation}
	switch {
	case m.Latched.Incarnation == "":
	case m.Latched.Incarnation != incarnation:
		return nil // another volume than the one in the slot: a fault, told as such
	case p.Claim(m) == nil:
		return nil // its annotation must come before the grant
	case p.Claim(m).Annotations[v1alpha1.AnnotationFounded] != incarnation:
		step.Kind = MarkClaim
	default:
		step.Kind = Found
	}
	d := act(step, v1alpha1.ReasonFounding, message)
	d.Requeue = PollStart
	return d
}

// latchActing fills the slot of a member that acts without ever having asked: it was
// founded by its flags alone, by a node that does not wait. The slot then keeps every
// other volume out.
func (p *pass) latchActing(m *observe.Member) *Decision {
	if m.Status == nil || m.Latched.Incarnation != "" || m.Status.Incarnation == "" || p.Fault(m) != nil {
		return nil
	}
	return act(Action{Kind: LatchFounder, Member: m.ID, Incarnation: m.Status.Incarnation}, v1alpha1.ReasonFounding,
		fmt.Sprintf("member %s acts on volume incarnation %s", m.Name, m.Status.Incarnation))
}

// completeBootstrap closes the door when every member acts and one leads them all.
func (p *pass) completeBootstrap() *Decision {
	for i := range p.Members {
		m := &p.Members[i]
		if p.Fault(m) != nil {
			return nil // which is told by the rule about faults
		}
		if m.Latched.Incarnation == "" || m.Status == nil || m.Status.AwaitsFounding {
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
