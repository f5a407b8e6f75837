package raftcluster

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// keepMember makes a StatefulSet as wanted, but for what the plan decides: whether it has a
// pod, and when a pod that may serve gets a changed template. A member that has left is
// neither started nor restarted any more.
func (r *Reconciler) keepMember(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	gone := o.Cluster.Status.Gone(m.ID)
	if m.Set == nil || m.Stopped() != o.Cluster.Spec.Hibernated && !gone {
		return nil
	}
	want := objects.Member(o.Cluster, r.Options, m.ID, m.Set)
	if !m.Stopped() && !gone && want.Annotations[v1alpha1.AnnotationTemplateHash] != m.TemplateHash() {
		objects.KeepTemplate(want, m.Set)
	}
	if m.Stopped() != o.Cluster.Spec.Hibernated {
		want.Spec.Replicas = m.Set.Spec.Replicas
	}
	return r.ensure(ctx, o, want, m.Set)
}

// stopMembers scales all StatefulSets to 0, after the API server itself said that this is
// what is wanted.
func (r *Reconciler) stopMembers(ctx context.Context, o *observe.Observed, a *plan.Action) error {
	stale, err := r.changed(ctx, o)
	if err != nil {
		return err
	}
	if stale != "" {
		logf.FromContext(ctx).Info("the members are not stopped", "because", stale)
		return nil
	}
	return r.scaleSets(ctx, o, a, v1alpha1.ReasonMembersStopped, "Stop")
}

// startMembers gives the StatefulSets that make no pod theirs back.
func (r *Reconciler) startMembers(ctx context.Context, o *observe.Observed, a *plan.Action) error {
	return r.scaleSets(ctx, o, a, v1alpha1.ReasonMembersStarted, "Start")
}

func (r *Reconciler) scaleSets(ctx context.Context, o *observe.Observed, a *plan.Action, reason, verb string) error {
	var errs []error
	for i := range o.Members {
		m := &o.Members[i]
		if m.Set != nil && m.Stopped() != o.Cluster.Spec.Hibernated && !(m.Stopped() && o.Cluster.Status.Gone(m.ID)) {
			errs = append(errs, r.ensure(ctx, o, objects.Member(o.Cluster, r.Options, m.ID, m.Set), m.Set))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.event(o.Cluster, nil, corev1.EventTypeNormal, reason, verb, a.Why)
	return nil
}
