package plan

import (
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// cleanUp deletes what is left of a member that has left, and forgets it. Its claim was
// marked before (markClaims), so that nothing takes it up again. It asks the group each
// time once more: what a leader has committed about a member that left is final.
func (p *pass) cleanUp(c *v1alpha1.MembershipChange) *Decision {
	m := p.Member(c.Leaving)
	if m == nil {
		return p.step(Action{Kind: LatchDone, Member: c.Leaving}, "it is forgotten")
	}
	claim, keep := p.Claim(m), p.Cluster.Spec.Storage.WhenRemoved == v1alpha1.RetainRemoved
	keys := p.Keys(m)
	switch {
	case !p.Settled():
		return p.wait(c, p.unsettled())
	case p.Info(m.ID) != nil:
		return p.wait(c, "the leader still has "+m.Name+" in its configuration")
	case m.Set != nil && keep && ownedBySet(claim):
		return p.wait(c, "Kubernetes has not let go of the claim "+claim.Name+" yet, which is to stay")
	case m.Set != nil && m.Set.DeletionTimestamp == nil:
		return p.step(Action{Kind: DeleteSet, Member: m.ID, UID: m.Set.UID}, "the StatefulSet of "+m.Name+" is deleted")
	case m.Pod != nil && p.NodeLost(m) != "":
		return p.step(Action{Kind: DropPod, Member: m.ID, UID: m.Pod.UID}, "the pod of "+m.Name+" is given up: "+p.NodeLost(m))
	case m.Set != nil || m.Pod != nil:
		return p.wait(c, "Kubernetes deletes the pod of "+m.Name)
	case claim != nil && !keep && claim.DeletionTimestamp == nil:
		return p.step(Action{Kind: DeleteClaim, Member: m.ID, UID: claim.UID}, "the claim of "+m.Name+" is deleted")
	case keys != nil:
		return p.step(Action{Kind: DeleteKeys, Member: m.ID, UID: keys.GetUID()}, "the certificate of "+m.Name+" is deleted")
	}
	return p.step(Action{Kind: LatchDone, Member: m.ID}, "nothing of "+m.Name+" is left")
}

// ownedBySet tells whether a claim goes with its StatefulSet.
func ownedBySet(claim *corev1.PersistentVolumeClaim) bool {
	if claim != nil {
		for _, owner := range claim.OwnerReferences {
			if owner.Kind == "StatefulSet" {
				return true
			}
		}
	}
	return false
}
