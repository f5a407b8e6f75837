package health

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/controllers/observe"
)

// checks are the conditions that the picture tells, a file each.
var checks = []func(*observe.Observed) metav1.Condition{
	available,
	degraded,
	membersHealthy,
	bootstrapComplete,
	dataLossPossible,
}

// Conditions gives all conditions but Progressing. Their LastTransitionTime is when the
// picture was taken; whoever stores them keeps the older one where the status stays.
func Conditions(o *observe.Observed) []metav1.Condition {
	all := make([]metav1.Condition, 0, len(checks))
	for _, check := range checks {
		c := check(o)
		c.ObservedGeneration = o.Cluster.Generation
		c.LastTransitionTime = metav1.NewTime(o.Now)
		all = append(all, c)
	}
	return all
}

func condition(kind string, status bool, reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if status {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// latched gives a condition that is True already.
func latched(o *observe.Observed, kind string) *metav1.Condition {
	if c := meta.FindStatusCondition(o.Cluster.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionTrue {
		return c
	}
	return nil
}

// notWell names the voters that are not well.
func notWell(o *observe.Observed) (names []string, well int) {
	for _, id := range o.Voters() {
		if m := o.Member(id); m != nil && o.Well(m) {
			well++
		} else {
			names = append(names, o.Cluster.MemberName(id))
		}
	}
	return names, well
}

func join(names []string) string { return strings.Join(names, ", ") }
