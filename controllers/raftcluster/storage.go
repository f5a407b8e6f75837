package raftcluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// growVolumes tells claims that are smaller than wanted to grow. Nobody is stopped by that,
// and it takes no turn: the plan goes on beside it. refused is what the API server has
// against it, such as a quota.
func (r *Reconciler) growVolumes(ctx context.Context, o *observe.Observed) (refused string, _ error) {
	var errs []error
	for _, m := range plan.Growths(o) {
		err := r.growVolume(ctx, o, m)
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			refused = err.Error()
			continue
		}
		errs = append(errs, err)
	}
	return refused, errors.Join(errs...)
}

// noteRefusedGrowth tells what the API server has against an expansion, unless there is more
// to tell.
func noteRefusedGrowth(refused string, d *plan.Decision) {
	if refused != "" && (d.Progress.Reason == v1alpha1.ReasonStable || d.Progress.Reason == v1alpha1.ReasonExpandingVolumes) {
		d.Progress = plan.Progress{Reason: v1alpha1.ReasonExpansionFailed, Message: refused}
	}
}

// growVolume changes the one field, of exactly the claim that was seen. It is no apply:
// that would take back what the same owner applied to the claim before.
func (r *Reconciler) growVolume(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	claim, size := o.Claim(m), o.Cluster.Spec.Storage.Size
	grown := claim.DeepCopy()
	grown.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	err := r.Client.Patch(ctx, grown, client.MergeFromWithOptions(claim, client.MergeFromWithOptimisticLock{}), FieldOwner)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil // it changed meanwhile: the next pass looks again
	case err != nil:
		return fmt.Errorf("expand claim %s to %s: %w", claim.Name, size.String(), err)
	}
	r.event(o.Cluster, claim, corev1.EventTypeNormal, v1alpha1.ReasonVolumeExpanded, "Expand",
		fmt.Sprintf("the claim %s of member %s is told to grow to %s", claim.Name, m.Name, size.String()))
	return nil
}
