package health

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
)

// membersHealthy: no member has a fault. A fault stays until its member is well, not
// just until its pod is gone.
func membersHealthy(o *observe.Observed) metav1.Condition {
	const kind = v1alpha1.ConditionMembersHealthy
	var unrecoverable, impaired []string
	for i := range o.Members {
		m := &o.Members[i]
		f := o.Suffers(m)
		if f == nil {
			continue
		}
		text := fmt.Sprintf("member %s: %s: %s", m.Name, f.Kind, f.Message)
		if f.Remedy == observe.RemedyFreeSpace || !f.Fenced {
			impaired = append(impaired, text)
		} else {
			unrecoverable = append(unrecoverable, text)
		}
	}
	switch {
	case len(unrecoverable) > 0:
		return condition(kind, false, v1alpha1.ReasonUnrecoverableMember, strings.Join(append(unrecoverable, impaired...), "; "))
	case len(impaired) > 0:
		return condition(kind, false, v1alpha1.ReasonMemberImpaired, strings.Join(impaired, "; "))
	}
	return condition(kind, true, v1alpha1.ReasonNoFaults, "no member reports a fault")
}
