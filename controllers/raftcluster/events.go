package raftcluster

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// noteLimit is what the API server accepts of an Event's note, in bytes.
const noteLimit = 1024

// event writes an Event about a cluster; related may be nil.
func (r *Reconciler) event(c *v1alpha1.RaftCluster, related client.Object, kind, reason, action, note string) {
	if len(note) > noteLimit {
		note = note[:noteLimit-3] + "..."
	}
	var other runtime.Object // a nil client.Object must not become a non-nil one
	if related != nil {
		other = related
	}
	r.Events.Eventf(c, other, kind, reason, action, "%s", note)
}

// tell writes Events about what the new status has and the old had not. It is called
// after the status was written, so each is told once.
func (r *Reconciler) tell(o *observe.Observed, s *v1alpha1.RaftClusterStatus, d plan.Decision) {
	switch d.Action.Kind {
	case plan.LatchCluster:
		r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonClusterIDLatched, "Latch", d.Progress.Message)
	case plan.LatchBootstrap:
		r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonBootstrapCompleted, "Latch",
			"every member was founded; an empty volume takes no part from here on")
	}
	for i := range s.Members {
		r.tellMember(o, &s.Members[i])
	}
	r.tellRefusal(o, s)
}

func (r *Reconciler) tellMember(o *observe.Observed, now *v1alpha1.MemberStatus) {
	before := o.Cluster.Status.Member(now.ID)
	had := before != nil && before.Fault != nil
	var pod client.Object
	impaired := false
	if m := o.Member(now.ID); m != nil && m.Pod != nil {
		pod, impaired = m.Pod, o.Impaired(m)
	}
	switch f := now.Fault; {
	case f != nil && (!had || before.Fault.Kind != f.Kind):
		reason := v1alpha1.ReasonUnrecoverableMember
		if f.Remedy == observe.RemedyFreeSpace || impaired {
			reason = v1alpha1.ReasonMemberImpaired
		}
		r.event(o.Cluster, pod, corev1.EventTypeWarning, reason, "Observe",
			fmt.Sprintf("member %s: %s (remedy %s): %s", now.Name, f.Kind, f.Remedy, f.Message))
	case f == nil && had:
		r.event(o.Cluster, pod, corev1.EventTypeNormal, v1alpha1.ReasonMemberRecovered, "Observe",
			fmt.Sprintf("member %s is well again after %s", now.Name, before.Fault.Kind))
	}
}

// tellRefusal tells when the operator stops with a reason that a person should know.
func (r *Reconciler) tellRefusal(o *observe.Observed, s *v1alpha1.RaftClusterStatus) {
	now := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionProgressing)
	before := meta.FindStatusCondition(o.Cluster.Status.Conditions, v1alpha1.ConditionProgressing)
	if now.Status == "True" || now.Reason == v1alpha1.ReasonStable || now.Reason == v1alpha1.ReasonPaused {
		return
	}
	if before != nil && before.Reason == now.Reason && before.Message == now.Message {
		return
	}
	refusals.WithLabelValues(now.Reason).Inc()
	r.event(o.Cluster, nil, corev1.EventTypeWarning, now.Reason, "Refuse", now.Message)
}
