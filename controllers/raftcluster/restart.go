package raftcluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// restartMember restarts the pod that the plan chose. Where it may serve, that is decided
// twice, the second time past every cache: the quorum may need it by now.
func (r *Reconciler) restartMember(ctx context.Context, o *observe.Observed, m *observe.Member, a *plan.Action) error {
	if a.MayServe {
		if fresh, err := r.confirmed(ctx, o, a); fresh == nil || err != nil {
			return err
		}
	}
	return r.restartPod(ctx, o, m, a)
}

// restartPod deletes the pod that the plan chose; its StatefulSet makes a new one. What
// the cache said is asked again from the API server, and the deletion holds for exactly
// what that answered.
func (r *Reconciler) restartPod(ctx context.Context, o *observe.Observed, m *observe.Member, a *plan.Action) error {
	pod, stale, err := r.confirm(ctx, o, m, a)
	if err != nil {
		return err
	}
	if stale != "" {
		logf.FromContext(ctx).Info("the pod is not restarted", "pod", m.Pod.Name, "because", stale)
		return nil
	}
	err = r.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil // it changed meanwhile: the next pass looks again
	case err != nil:
		return fmt.Errorf("restart pod %s: %w", pod.Name, err)
	}
	kind := corev1.EventTypeNormal
	if !a.MayServe {
		kind = corev1.EventTypeWarning
	}
	r.event(o.Cluster, pod, kind, v1alpha1.ReasonPodRestarted, "Restart", fmt.Sprintf("member %s: %s", m.Name, a.Why))
	return nil
}

// confirm reads the cluster and the pod uncached. stale says why the decision does not
// hold any more; empty: it does.
func (r *Reconciler) confirm(ctx context.Context, o *observe.Observed, m *observe.Member, a *plan.Action) (_ *corev1.Pod, stale string, _ error) {
	if stale, err := r.changed(ctx, o); stale != "" || err != nil {
		return nil, stale, err
	}
	var pod corev1.Pod
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(m.Pod), &pod); err != nil {
		return nil, "the pod is gone", client.IgnoreNotFound(err)
	}
	fresh := observe.Member{Pod: &pod}
	ready, _ := fresh.Ready()
	switch {
	case pod.UID != a.PodUID || pod.DeletionTimestamp != nil:
		return nil, "the pod was replaced meanwhile", nil
	case ready && !a.MayServe:
		return nil, "the pod became ready meanwhile", nil
	}
	return &pod, "", nil
}

// changed reads the RaftCluster uncached and says whether what is wanted of it is another
// than the picture's; empty: it is the same.
func (r *Reconciler) changed(ctx context.Context, o *observe.Observed) (stale string, _ error) {
	var cluster v1alpha1.RaftCluster
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(o.Cluster), &cluster); err != nil {
		return "the RaftCluster is gone", client.IgnoreNotFound(err)
	}
	if cluster.UID != o.Cluster.UID || cluster.Generation != o.Cluster.Generation || cluster.DeletionTimestamp != nil {
		return "the RaftCluster changed meanwhile", nil
	}
	return "", nil
}
