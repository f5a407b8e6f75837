package health

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// bootstrapComplete: every member was founded, and no empty volume takes part any more.
func bootstrapComplete(o *observe.Observed) metav1.Condition {
	const kind = v1alpha1.ConditionBootstrapComplete
	if c := latched(o, kind); c != nil {
		return *c
	}
	if !o.Cluster.Status.Bootstrapped {
		return condition(kind, false, v1alpha1.ReasonMembersMissing, "not every member was founded yet")
	}
	return condition(kind, true, v1alpha1.ReasonAllMembersFounded, "every member was founded; an empty volume takes no part from here on")
}
