package objects

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Bounds of the spread. They do not depend on the number of members, so that scaling
// restarts nobody.
const (
	maxSkewOfMembers = 1
	// minHosts is the greatest number of members. With fewer hosts than that the scheduler
	// counts from zero, and with more there is an empty one: so each host takes one member.
	minHosts = 9
	// minZones is what the loss of a zone takes: with two zones, one of them holds a quorum.
	minZones = 3
)

// spread is the user's, or else what spec.topology asks for, over hosts and zones.
func spread(c *v1alpha1.RaftCluster) []corev1.TopologySpreadConstraint {
	if len(c.Spec.Pod.TopologySpreadConstraints) > 0 {
		return c.Spec.Pod.TopologySpreadConstraints
	}
	return []corev1.TopologySpreadConstraint{
		spreadOver(c, corev1.LabelHostname, c.Spec.Topology.Hosts, minHosts),
		spreadOver(c, corev1.LabelTopologyZone, c.Spec.Topology.Zones, minZones),
	}
}

// spreadOver counts all members, whatever their template: during a roll-out the old and the
// new ones are one group (so no matchLabelKeys).
func spreadOver(c *v1alpha1.RaftCluster, key string, how v1alpha1.Spread, minDomains int32) corev1.TopologySpreadConstraint {
	s := corev1.TopologySpreadConstraint{
		MaxSkew:           maxSkewOfMembers,
		TopologyKey:       key,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: Selector(c)},
	}
	if how == v1alpha1.SpreadRequired {
		// Where no member may run, such as in a zone of control planes, none is missing.
		honor := corev1.NodeInclusionPolicyHonor
		s.WhenUnsatisfiable, s.MinDomains, s.NodeTaintsPolicy = corev1.DoNotSchedule, &minDomains, &honor
	}
	return s
}
