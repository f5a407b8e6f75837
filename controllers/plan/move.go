package plan

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// reasonStorage is the reason of changes that move a member to another volume.
const reasonStorage = "StorageChange"

// moveMembers begins to move a member whose volume cannot become what is wanted: another one, on
// a new volume, takes its place. One after another, and only while all others are well.
func moveMembers(p *pass) *Decision {
	m := p.nextMisplaced()
	if m == nil || len(p.Voters()) != int(p.Cluster.Spec.Replicas) || p.strange() != 0 || !p.mayMove(m) {
		return nil
	}
	next := p.begin(v1alpha1.ChangeMove, v1alpha1.StepAdding, p.newID(), m.ID, reasonStorage)
	return p.latchChange(next, p.misplaced(p.Claim(m)))
}

// nextMisplaced is the member that moves next, nil for none: one whose volume is full, then the
// followers, and the leader last.
func (p *pass) nextMisplaced() *observe.Member {
	var full, follower, leader *observe.Member
	for i := range p.Members {
		m := &p.Members[i]
		claim := p.Claim(m)
		switch {
		case claim == nil, !p.Votes(m), p.misplaced(claim) == "", p.whyUnmoved(m, claim) != "":
		case full == nil && p.full(m):
			full = m
		case p.leads(m):
			leader = m
		case follower == nil:
			follower = m
		}
	}
	return cmp.Or(full, follower, leader)
}

// full tells whether a member waits for space, which a larger volume gives it.
func (p *pass) full(m *observe.Member) bool {
	f := p.Fault(m)
	return f != nil && f.Remedy == observe.RemedyFreeSpace && p.TooSmall(p.Claim(m))
}

// mayMove tells whether a member may move now, and notes why not.
func (p *pass) mayMove(m *observe.Member) bool {
	except := int64(0)
	if p.full(m) {
		except = m.ID
	}
	return p.mayChange(except, intent{
		reason: v1alpha1.ReasonMoving, blocked: v1alpha1.ReasonMoveBlocked,
		before: "member " + m.Name + " moves to another volume", not: "member " + m.Name + " does not move to another volume",
	})
}

// misplaced says why what is wanted needs another volume than a claim's; empty: it does not.
func (p *pass) misplaced(claim *corev1.PersistentVolumeClaim) string {
	if class := p.Cluster.Spec.Storage.StorageClassName; class != nil && *class != observe.ClassOf(claim) {
		return fmt.Sprintf("the claim %s is of the StorageClass %q, wanted is %q", claim.Name, observe.ClassOf(claim), *class)
	}
	if p.TooSmall(claim) {
		if why := fixed(p.Observed, claim); why != "" {
			return fmt.Sprintf("the claim %s cannot grow to %s: %s", claim.Name, p.Cluster.Spec.Storage.Size.String(), why)
		}
	}
	return ""
}

// whyUnmoved goes on to say why a member whose volume is not as wanted does not move; empty: it does.
func (p *pass) whyUnmoved(m *observe.Member, claim *corev1.PersistentVolumeClaim) string {
	size, want := claim.Spec.Resources.Requests[corev1.ResourceStorage], p.Cluster.Spec.Storage.Size
	switch {
	case !p.Cluster.Status.Bootstrapped:
		return "; before all members are founded none moves: delete the RaftCluster and its claims, and create it anew"
	case p.asks(m): // and so would the next one
		return ", though its template asks for that: find out what makes claims others than they are asked for"
	case size.Cmp(want) > 0:
		return fmt.Sprintf(", but it was made larger than spec.storage.size: raise that to %s, because no member gets a smaller volume", size.String())
	}
	return ""
}

// asks tells whether a member's claim template asks for what is wanted now.
func (p *pass) asks(m *observe.Member) bool {
	if m.Set == nil || len(m.Set.Spec.VolumeClaimTemplates) != 1 {
		return true // it is made with what is wanted
	}
	asked, want := &m.Set.Spec.VolumeClaimTemplates[0].Spec, p.Cluster.Spec.Storage
	if (asked.StorageClassName == nil) != (want.StorageClassName == nil) || want.StorageClassName != nil && *asked.StorageClassName != *want.StorageClassName {
		return false
	}
	size := asked.Resources.Requests[corev1.ResourceStorage]
	return size.Cmp(want.Size) >= 0
}

// whyOtherVolume says why a member that joins is taken away again because of its volume; empty:
// it is not. One that has nothing on it yet is given up whatever it joins for: its claim may
// wait for a StorageClass that does not exist.
func (p *pass) whyOtherVolume(c *v1alpha1.MembershipChange, joiner *observe.Member) string {
	claim, victim := p.Claim(joiner), p.Member(c.Leaving)
	switch {
	case joiner.Latched.Incarnation == "" && !p.asks(joiner):
		return "another volume is wanted by now"
	case c.Kind != v1alpha1.ChangeMove:
		return ""
	case victim != nil && p.Claim(victim) != nil && p.misplaced(p.Claim(victim)) == "":
		return "the volume of member " + victim.Name + " is as wanted after all"
	case claim != nil && !p.asks(joiner):
		return p.misplaced(claim)
	}
	return ""
}

// awaitStart waits for a member that joins to answer. That its claim gets no volume is for a
// person to mend, and told as such after a while.
func (p *pass) awaitStart(c *v1alpha1.MembershipChange, m *observe.Member) *Decision {
	claim := p.Claim(m)
	if claim == nil || claim.Status.Phase != corev1.ClaimPending {
		return p.wait(c, "it has not started yet"+trouble(m))
	}
	what := fmt.Sprintf("its claim %s of the StorageClass %q has no volume yet%s", claim.Name, observe.ClassOf(claim), trouble(m))
	if p.Now.Sub(c.StartedAt.Time) <= aWhile {
		return p.wait(c, what)
	}
	p.soon(PollBusy)
	p.note(false, v1alpha1.ReasonVolumePending, p.about(c)+": "+what)
	return nil
}
