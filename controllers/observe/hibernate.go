package observe

// Stopped tells whether a member's StatefulSet makes no pod. Without a StatefulSet there is
// none to make one.
func (m *Member) Stopped() bool {
	return m.Set == nil || m.Set.Spec.Replicas != nil && *m.Set.Spec.Replicas == 0
}

// Hibernated tells whether it is meant that no member runs: spec.hibernated is set and is
// followed, or was when the cluster was paused. What still serves is no matter here.
func (o *Observed) Hibernated() bool {
	if !o.Cluster.Spec.Hibernated {
		return false
	}
	if !o.Cluster.Spec.Paused {
		return true
	}
	for i := range o.Members {
		if !o.Members[i].Stopped() {
			return false
		}
	}
	return true
}
