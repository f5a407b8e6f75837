package observe

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// annotationSelectedNode, on a claim, is the node that Kubernetes chose for its volume.
const annotationSelectedNode = "volume.kubernetes.io/selected-node"

// lost gives the fault of a member that does not answer and whose volume, by the word of
// Kubernetes, will not come back; nil for none.
func (o *Observed) lost(m *Member) *Fault {
	if claim := o.Claim(m); claim != nil && claim.Status.Phase == corev1.ClaimLost {
		return &Fault{
			Kind: FaultVolumeLost, Remedy: RemedyReplaceMember, Fenced: true,
			Message: "the volume of the claim " + claim.Name + " does not exist any more",
		}
	}
	if why := o.NodeLost(m); why != "" {
		return &Fault{Kind: FaultNodeLost, Remedy: RemedyReplaceMember, Fenced: true, Message: why}
	}
	return nil
}

// NodeLost says why the Kubernetes node of a member counts as lost; empty: it does not. The
// time since the pod stopped being ready, or could not be scheduled, must be longer than
// spec.recovery.nodeLostAfter as well, so that a node that comes back under its name is waited for.
func (o *Observed) NodeLost(m *Member) string {
	after := o.Cluster.Spec.Recovery.NodeLostAfter.Duration
	name := o.nodeOf(m)
	if name == "" || after <= 0 || !o.downSince(m, after) {
		return ""
	}
	node, asked := o.Nodes[name]
	if !asked {
		return ""
	}
	if node == nil {
		return "its node " + name + " is gone"
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue && o.Now.Sub(c.LastTransitionTime.Time) > after {
			return "its node " + name + " is not ready"
		}
	}
	return ""
}

// nodeOf is the node that a member's pod runs on, or else the one that its volume is on.
func (o *Observed) nodeOf(m *Member) string {
	if m.Pod == nil {
		return ""
	}
	if m.Pod.Spec.NodeName != "" {
		return m.Pod.Spec.NodeName
	}
	if claim := o.Claim(m); claim != nil {
		return claim.Annotations[annotationSelectedNode]
	}
	return ""
}

// downSince tells whether the pod has not been ready, or has waited for a node, for that long.
func (o *Observed) downSince(m *Member, after time.Duration) bool {
	want := corev1.PodReady
	if m.Pod.Spec.NodeName == "" {
		want = corev1.PodScheduled
	}
	for _, c := range m.Pod.Status.Conditions {
		if c.Type == want {
			return c.Status == corev1.ConditionFalse && o.Now.Sub(c.LastTransitionTime.Time) > after
		}
	}
	return false
}
