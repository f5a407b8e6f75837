package health

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// degraded: fewer failures are tolerated than the number of members promises.
func degraded(o *observe.Observed) metav1.Condition {
	const kind = v1alpha1.ConditionDegraded
	names, well := notWell(o)
	switch {
	case o.Hibernated():
		return condition(kind, false, v1alpha1.ReasonHibernated, "spec.hibernated is set: no member is meant to run")
	case len(o.Members) == 0:
		return condition(kind, true, v1alpha1.ReasonMembersNotReady, "there are no members yet")
	case len(names) == 0:
		return condition(kind, false, v1alpha1.ReasonAllMembersReady, fmt.Sprintf("all %d members are ready", well))
	case well > o.Quorum():
		return condition(kind, true, v1alpha1.ReasonMembersNotReady,
			fmt.Sprintf("%d of %d members are ready; not ready: %s", well, len(o.Voters()), join(names)))
	}
	consequence := "so no further failure is tolerated"
	if well < o.Quorum() {
		consequence = "so no writes are served"
	}
	return condition(kind, true, v1alpha1.ReasonNoFaultTolerance,
		fmt.Sprintf("%d of %d members are ready and a quorum needs %d, %s; not ready: %s",
			well, len(o.Voters()), o.Quorum(), consequence, join(names)))
}
