package raftcluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// act keeps the objects as they are wanted where nobody is disturbed by that, and does
// the one action that the plan chose. What goes wrong is noted in the decision, for the
// report. Actions that latch are done by the report.
func (r *Reconciler) act(ctx context.Context, o *observe.Observed, d *plan.Decision) error {
	if o.Cluster.Spec.Paused || o.Cluster.DeletionTimestamp != nil || o.Cluster.Status.ClusterID == "" {
		return nil
	}
	err := errors.Join(r.keepObjects(ctx, o), r.do(ctx, o, &d.Action))
	count(d.Action.Kind, err)
	if err == nil {
		return nil
	}
	d.Progress = plan.Progress{Reason: v1alpha1.ReasonApplyFailed, Message: err.Error()}
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		d.Progress.Reason = v1alpha1.ReasonObjectConflict
		// Only a person can mend this: no sooner retry, no error in the log each time.
		d.Requeue = plan.PollIdle
		return nil
	}
	return err
}

func (r *Reconciler) do(ctx context.Context, o *observe.Observed, a *plan.Action) error {
	m := o.Member(a.Member)
	switch a.Kind {
	case plan.CreateMember:
		return r.applyMember(ctx, o, m, v1alpha1.ReasonMemberCreated, "StatefulSet %s is created")
	case plan.ApplyMember:
		return r.applyMember(ctx, o, m, v1alpha1.ReasonMemberUpdated, "StatefulSet %s gets the changed pod template")
	case plan.MarkClaim:
		return r.markClaim(ctx, o, m, a.Incarnation)
	case plan.Found:
		return r.found(ctx, o, m, a.Incarnation)
	case plan.Transfer:
		return r.transfer(ctx, o, m, a)
	case plan.RestartPod:
		return r.restartPod(ctx, o, m, a)
	}
	return nil
}

func (r *Reconciler) found(ctx context.Context, o *observe.Observed, m *observe.Member, incarnation string) error {
	if err := r.Nodes.Found(ctx, o.Target(m), incarnation); err != nil {
		return fmt.Errorf("found member %s: %w", m.Name, err)
	}
	r.event(o.Cluster, m.Pod, corev1.EventTypeNormal, v1alpha1.ReasonMemberFounded, "Found",
		fmt.Sprintf("member %s is founded on volume incarnation %s", m.Name, incarnation))
	return nil
}

// transfer asks the leader to hand over; the next pass sees whether it did. A node that
// does not know the request hands over when it is stopped, so it is restarted at once.
func (r *Reconciler) transfer(ctx context.Context, o *observe.Observed, m *observe.Member, a *plan.Action) error {
	err := r.Nodes.Transfer(ctx, o.Target(m))
	switch {
	case errors.Is(err, nodeclient.ErrUnsupported):
		return r.restartPod(ctx, o, m, &plan.Action{
			Kind: plan.RestartPod, Member: m.ID, PodUID: a.PodUID, MayServe: true,
			Why: "the pod is outdated, and the leader hands over when it is stopped",
		})
	case err != nil:
		r.event(o.Cluster, m.Pod, corev1.EventTypeWarning, v1alpha1.ReasonTransferFailed, "Transfer",
			fmt.Sprintf("leader %s does not hand over: %v", m.Name, err))
		return fmt.Errorf("transfer leadership from %s: %w", m.Name, err)
	}
	r.event(o.Cluster, m.Pod, corev1.EventTypeNormal, v1alpha1.ReasonLeaderTransferred, "Transfer",
		fmt.Sprintf("leader %s was asked to hand over, because its pod is restarted next", m.Name))
	return nil
}
