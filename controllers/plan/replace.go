package plan

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// replaceMembers begins the replacement of a voter that cannot be mended. Every gate must
// hold (mayReplace); each that does not is told with a reason of its own.
func replaceMembers(p *pass) *Decision {
	if !p.replaces() {
		return nil
	}
	for i := range p.Members {
		m := &p.Members[i]
		f := p.Fault(m)
		if f == nil || !p.Votes(m) || p.Cluster.Status.Gone(m.ID) || !p.beyondRestarts(m, f) || p.onTrial(m) && fromChange(f) {
			continue
		}
		if d := p.replace(m, f); d != nil {
			return d
		}
	}
	return nil
}

// replaces tells whether members are replaced at all.
func (p *pass) replaces() bool {
	return p.Cluster.Status.Bootstrapped && p.mostReplacements() > 0
}

func (p *pass) mostReplacements() int32 {
	if most := p.Cluster.Spec.Recovery.MaxReplacements; most != nil {
		return *most
	}
	return defaultReplacements
}

// defaultReplacements is the API's default, for a RaftCluster that was stored before it was.
const defaultReplacements = 3

// beyondRestarts tells whether only a replacement can mend a member: restarts are of no use,
// or were tried. Where space or a person is needed, another member would fare no better.
func (p *pass) beyondRestarts(m *observe.Member, f *observe.Fault) bool {
	switch {
	case !f.Unrecoverable() && f.Kind != observe.FaultVolumeLost, f.Remedy == observe.RemedyFreeSpace, f.Remedy == observe.RemedyOperator:
		return false
	case f.Remedy == observe.RemedyReplaceMember:
		return true
	}
	return m.Latched.Restarts != nil && m.Latched.Restarts.Count >= p.mostRestarts() || p.mostRestarts() == 0
}

// needsAnotherID tells whether a member that joins cannot be had under its ID: what was
// acknowledged on its volume may be gone.
func (p *pass) needsAnotherID(m *observe.Member, f *observe.Fault) bool {
	return p.beyondRestarts(m, f) && p.evidence(m, f)
}

// replace goes through the gates, and begins when all hold.
func (p *pass) replace(m *observe.Member, f *observe.Fault) *Decision {
	c := p.Cluster.Status.Change
	switch {
	case c != nil && c.Leaving == m.ID:
		return nil // it is under way
	case int(p.Cluster.Spec.Replicas) < len(p.Voters()):
		return nil // the rule about the number of members takes it out first
	}
	if !p.mayReplace(m, f) {
		return nil
	}
	next := p.begin(v1alpha1.ChangeReplace, v1alpha1.StepAdding, 0, m.ID, f.Kind)
	switch {
	case c == nil:
		next.Joining = p.newID()
	case (c.Kind == v1alpha1.ChangeScaleUp || c.Kind == v1alpha1.ChangeMove) && p.Cluster.Status.Joining(c.Joining):
		// The member that joins anyway takes the place of the ill one.
		next.Joining, next.Step = c.Joining, c.Step
	default:
		p.note(true, v1alpha1.ReasonReplacing, fmt.Sprintf("member %s is replaced because of %s when another change of the membership is done", m.Name, f.Kind))
		return nil
	}
	d := p.latchChange(next, f.Message)
	d.Action.Replacements = p.countReplacement()
	return d
}

func (p *pass) countReplacement() *v1alpha1.Replacements {
	r := &v1alpha1.Replacements{Count: 1, LastAt: metav1.NewTime(p.Now).Rfc3339Copy()}
	if before := p.Cluster.Status.Replacements; before != nil {
		r.Count = before.Count + 1
	}
	return r
}

// mayReplace asks every gate of a replacement, and notes the first that does not hold.
func (p *pass) mayReplace(m *observe.Member, f *observe.Fault) bool {
	has := fmt.Sprintf("member %s has the fault %s (%s)", m.Name, f.Kind, f.Message)
	done := int32(0)
	if r := p.Cluster.Status.Replacements; r != nil {
		done = r.Count
	}
	other, unwell := p.illBeside(m), p.unwell(m.ID)
	switch {
	case !p.evidence(m, f):
		p.note(false, v1alpha1.ReasonReplacementLacksEvidence, has+" and is not replaced: nothing says that its own volume is the cause")
	case done >= p.mostReplacements():
		p.note(false, v1alpha1.ReasonReplacementBudgetExhausted, fmt.Sprintf("%s and is not replaced: %d of %d replacements were used", has, done, p.mostReplacements()))
	case other != nil:
		p.note(false, v1alpha1.ReasonTwoMembersIll, has+" and is not replaced while member "+other.Name+" is ill too"+p.whyUnwell(other))
	case p.wellBeside(m) < p.Quorum():
		p.note(false, v1alpha1.ReasonReplacementRisksQuorum, has+" and is not replaced while the other members that are well are no quorum")
	case !p.Served() || !p.wouldServe(0, m.ID):
		p.awaitOthers(m, unwell, has, "the other members to follow a leader and to catch up")
	case unwell != nil && !p.stuckInRollOut(unwell):
		p.awaitOthers(m, unwell, has, "member "+unwell.Name+" to get well and to catch up")
	case !p.Settled():
		p.awaitOthers(m, nil, has, "the group to settle an earlier change")
	default:
		return p.strange() == 0
	}
	p.soon(PollBusy)
	return false
}

// awaitOthers notes what the replacement of m waits for, because of another member or nil; what takes
// very long is a refusal.
func (p *pass) awaitOthers(m, other *observe.Member, has, what string) {
	if !p.waitsLong(m, other) {
		p.note(true, v1alpha1.ReasonReplacing, has+"; waiting for "+what+" before it is replaced")
		return
	}
	why := "the group has not settled an earlier change"
	switch {
	case p.Leader() == nil:
		why = "none of the other members leads"
	case other != nil && p.Well(other):
		why = "member " + other.Name + " does not follow the leader, or has not caught up with it"
	case other != nil:
		why = "member " + other.Name + " is not well" + p.whyAway(other)
	}
	p.note(false, v1alpha1.ReasonReplacementBlocked, fmt.Sprintf("%s and is not replaced: for more than %s, %s", has, patience, why))
}

// waitsLong tells whether m has been ill, and the other member's pod as it is, for longer than
// patience; or, without a leader, whether none was seen for that long.
func (p *pass) waitsLong(m, other *observe.Member) bool {
	if p.Leader() == nil {
		return p.leaderlessFor(patience)
	}
	ill := m.Latched.Fault
	if ill == nil || ill.Since.IsZero() || p.Now.Sub(ill.Since.Time) <= patience {
		return false
	}
	return other == nil || other.Pod == nil || p.Now.Sub(asItIsSince(other.Pod)) > patience
}

// asItIsSince is the moment since which a pod is as ready, or not, as it is; or is on its way out.
func asItIsSince(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp != nil {
		return pod.DeletionTimestamp.Time
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time
		}
	}
	return pod.CreationTimestamp.Time
}

// evidence tells whether the fault is known of the very volume that was founded as the
// member, or whether that volume is known to be gone. The last words of a container without
// a name, or a node that cannot read who it is, tell nothing about a volume, unless the
// claim says that it is the one.
func (p *pass) evidence(m *observe.Member, f *observe.Fault) bool {
	slot := m.Latched.Incarnation
	switch {
	case f.Kind == observe.FaultVolumeLost, f.Kind == observe.FaultNodeLost:
		return true
	case slot == "":
		return false
	case f.Incarnation == slot:
		return true
	}
	claim := p.Claim(m)
	return f.Incarnation == "" && f.Kind == faultMetaCorrupt && claim != nil && claim.Annotations[v1alpha1.AnnotationFounded] == slot
}

// faultMetaCorrupt is the one kind of fault after which a node may not know its volume's name.
const faultMetaCorrupt = "MetaCorrupt"

// stuckInRollOut tells whether a member does not get well with a changed pod that others
// do not have yet. It blocks the roll-out, and nothing else.
func (p *pass) stuckInRollOut(m *observe.Member) bool {
	ready, since := m.Ready()
	stuck := trouble(m) != "" || !since.IsZero() && p.Now.Sub(since) > patience
	return !ready && !p.outdated(m) && stuck && p.nextOutdated() != nil
}
