package health

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// available: a leader is followed by a quorum of members that are well, so writes are
// served.
func available(o *observe.Observed) metav1.Condition {
	const kind = v1alpha1.ConditionAvailable
	leader, followed := o.Leader(), o.Followed()
	if leader != nil && followed >= o.Quorum() {
		return condition(kind, true, v1alpha1.ReasonQuorumServes, "a quorum serves writes, led by "+leader.Name)
	}
	if o.Hibernated() {
		return condition(kind, false, v1alpha1.ReasonHibernated, "spec.hibernated is set: nothing is served until it is unset")
	}
	if unreachable(o) {
		c := condition(kind, false, v1alpha1.ReasonMembersUnreachable,
			"pods are ready, but the operator cannot reach the admin port of a quorum of them; is a NetworkPolicy in the way?")
		c.Status = metav1.ConditionUnknown
		return c
	}
	names, well := notWell(o)
	switch {
	case len(o.Members) == 0 || !o.Cluster.Status.Bootstrapped:
		return condition(kind, false, v1alpha1.ReasonFounding, "the members are being founded")
	case well < o.Quorum():
		return condition(kind, false, v1alpha1.ReasonQuorumLost,
			fmt.Sprintf("%d of %d members are well, a quorum needs %d; not well: %s", well, len(o.Voters()), o.Quorum(), join(names)))
	}
	return condition(kind, false, v1alpha1.ReasonNoLeader, "enough members are well, but no leader is followed by a quorum")
}

// unreachable tells whether the kubelets find a quorum ready that the operator cannot ask.
func unreachable(o *observe.Observed) bool {
	ready, answering := 0, 0
	for i := range o.Members {
		m := &o.Members[i]
		if !o.Votes(m) {
			continue
		}
		if r, _ := m.Ready(); r {
			ready++
		}
		if m.Status != nil {
			answering++
		}
	}
	return len(o.Members) > 0 && ready >= o.Quorum() && answering < o.Quorum()
}
