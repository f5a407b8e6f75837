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
	case plan.LatchCanary:
		if s.Canary != 0 {
			r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonChangeTried, "Latch", d.Progress.Message)
		}
	case plan.LatchBootstrap:
		r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonBootstrapCompleted, "Latch",
			"every member was founded; an empty volume takes no part from here on")
	}
	r.tellWish(o, s, d)
	for i := range s.Members {
		r.tellMember(o, &s.Members[i])
	}
	if n := o.Cluster.Status.UpdatedReplicas; n > 0 && n < s.UpdatedReplicas && int(s.UpdatedReplicas) == len(s.Members) {
		r.event(o.Cluster, nil, corev1.EventTypeNormal, v1alpha1.ReasonRolloutCompleted, "Observe",
			fmt.Sprintf("all %d members have the changed pod", s.UpdatedReplicas))
	}
	r.tellRefusal(o, s)
}

// tellWish tells of a change of the membership that begins, and of a wish that is not wise.
func (r *Reconciler) tellWish(o *observe.Observed, s *v1alpha1.RaftClusterStatus, d plan.Decision) {
	before := o.Cluster.Status.Change
	if now := s.Change; now != nil && (before == nil || before.Kind != now.Kind) {
		kind, reason := corev1.EventTypeNormal, d.Progress.Reason
		if now.Kind == v1alpha1.ChangeAbandon {
			kind, reason = corev1.EventTypeWarning, v1alpha1.ReasonChangeAbandoned
		}
		r.event(o.Cluster, nil, kind, reason, "Change", d.Progress.Message)
	}
	if n := o.Cluster.Spec.Replicas; n%2 == 0 && o.Cluster.Status.ObservedGeneration != o.Cluster.Generation {
		r.event(o.Cluster, nil, corev1.EventTypeWarning, v1alpha1.ReasonEvenReplicas, "Observe",
			fmt.Sprintf("%d members tolerate no more failures than %d", n, n-1))
	}
}

func (r *Reconciler) tellMember(o *observe.Observed, now *v1alpha1.MemberStatus) {
	before := o.Cluster.Status.Member(now.ID)
	had := before != nil && before.Fault != nil
	var pod client.Object
	if m := o.Member(now.ID); m != nil && m.Pod != nil {
		pod = m.Pod
	}
	switch f := now.Fault; {
	case f != nil && (!had || before.Fault.Kind != f.Kind):
		reason := v1alpha1.ReasonUnrecoverableMember
		if f.Remedy == observe.RemedyFreeSpace || !f.Fenced {
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
