package raftcluster

import (
	"cmp"
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
	err := errors.Join(r.keepCertificates(ctx, o), r.keepObjects(ctx, o))
	refused, grown := r.growVolumes(ctx, o)
	noteRefusedGrowth(refused, d)
	// A member is not created beside things of others, such as a ServiceAccount to run as.
	if err == nil || d.Action.Kind != plan.CreateMember {
		done := r.do(ctx, o, d)
		if !d.Action.Latches() {
			count(d.Action.Kind, done)
		}
		err = errors.Join(err, done)
	}
	return explain(errors.Join(err, grown), d)
}

// explain puts what went wrong into the decision. What only a person or time mends is no
// error: it is told in status, and the next look comes in its time.
func explain(err error, d *plan.Decision) error {
	var refused refusal
	var leftover *LeftoverError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		d.Progress = plan.Progress{Reason: v1alpha1.ReasonObjectConflict, Message: refused.Error()}
		d.Requeue = plan.PollIdle
		return nil
	case errors.As(err, &leftover):
		d.Progress = plan.Progress{Active: true, Reason: v1alpha1.ReasonCreating, Message: leftover.Error()}
		d.Requeue = plan.PollBusy
		return nil
	case passing(err):
		return err // repeated after a while; there is nothing to tell a person yet
	}
	d.Progress = plan.Progress{Reason: v1alpha1.ReasonApplyFailed, Message: err.Error()}
	return err
}

func (r *Reconciler) do(ctx context.Context, o *observe.Observed, d *plan.Decision) error {
	a := &d.Action
	m := o.Member(a.Member)
	switch a.Kind {
	case plan.CreateMember:
		return r.createMember(ctx, o, m)
	case plan.AdoptMember:
		return r.adoptMember(ctx, o, m)
	case plan.ApplyMember:
		return r.updateMember(ctx, o, m)
	case plan.MarkClaim:
		return r.markClaim(ctx, o, m)
	case plan.Found:
		return r.found(ctx, o, m, a.Incarnation)
	case plan.Transfer:
		return r.transfer(ctx, o, m, a)
	case plan.RestartPod:
		return r.restartMember(ctx, o, m, a)
	case plan.StopMembers:
		return r.stopMembers(ctx, o, a)
	case plan.StartMembers:
		return r.startMembers(ctx, o, a)
	case plan.AddMember, plan.ChangeVoters, plan.DeleteSet, plan.DropPod, plan.DeleteClaim, plan.DeleteKeys:
		return r.changeMembership(ctx, o, d)
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
		if fresh, err := r.confirmed(ctx, o, a); fresh == nil || err != nil {
			return err
		}
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
		fmt.Sprintf("leader %s was asked to hand over, because %s", m.Name, cmp.Or(a.Why, "its pod is restarted next")))
	return nil
}
