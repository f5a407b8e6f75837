package observe

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
)

// lookAgain reads by name, past the cache and its labels, what should be there and is not
// in the picture: a claim or a pod that lost its label would be taken for lost otherwise.
func (o *Observed) lookAgain(ctx context.Context, r client.Reader) error {
	if err := o.findClaims(ctx, r); err != nil {
		return err
	}
	for i := range o.Members {
		m := &o.Members[i]
		o.disown(m)
		if m.Pod != nil || m.Stopped() || !o.Cluster.Status.Bootstrapped {
			continue
		}
		var pod corev1.Pod
		switch err := r.Get(ctx, o.key(o.Cluster.PodName(m.ID)), &pod); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("read pod %s: %w", o.Cluster.PodName(m.ID), err)
		case pod.Labels[v1alpha1.LabelCluster] != o.Cluster.Name:
			m.Stray = fmt.Sprintf("pod %s lacks the label %s=%s; put it back, or delete the pod", pod.Name, v1alpha1.LabelCluster, o.Cluster.Name)
		}
	}
	return nil
}

// disown leaves a pod out that has the name and the label of a member's, but is controlled
// by somebody else than the member's StatefulSet.
func (o *Observed) disown(m *Member) {
	if m.Pod == nil || m.Set == nil {
		return
	}
	if owner := metav1.GetControllerOf(m.Pod); owner != nil && owner.UID != m.Set.UID {
		m.Stray = fmt.Sprintf("pod %s belongs to the %s %s of UID %s, not to this StatefulSet", m.Pod.Name, owner.Kind, owner.Name, owner.UID)
		if m.Pod.DeletionTimestamp != nil && owner.Name == m.Name {
			m.Stray = fmt.Sprintf("pod %s of an earlier StatefulSet has not ended on host %s", m.Pod.Name, m.Pod.Spec.NodeName)
		}
		m.Pod = nil
	}
}

// findClaims looks for the claims of members by name: of those that will be founded, before
// the group has an ID, and of those that were. A StatefulSet would use them, labelled or not.
func (o *Observed) findClaims(ctx context.Context, r client.Reader) error {
	var ids []int64
	switch {
	case o.Cluster.Status.ClusterID == "":
		for id := int64(1); id <= int64(o.Cluster.Spec.Replicas); id++ {
			ids = append(ids, id)
		}
	case o.Cluster.Status.Bootstrapped && !o.Hibernated():
		for i := range o.Members {
			ids = append(ids, o.Members[i].ID)
		}
	}
	for _, id := range ids {
		name := o.Cluster.ClaimName(id)
		if o.Claims[name] != nil {
			continue
		}
		var claim corev1.PersistentVolumeClaim
		switch err := r.Get(ctx, o.key(name), &claim); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return fmt.Errorf("read claim %s: %w", name, err)
		default:
			o.Claims[name] = &claim
		}
	}
	return nil
}

// doubt takes the word "impostor" back where the pod has another address by now: then the
// cache was old, and somebody else has the address that the pod had.
func (o *Observed) doubt(ctx context.Context, r client.Reader) error {
	for i := range o.Members {
		m := &o.Members[i]
		var impostor *nodeclient.ImpostorError
		if !errors.As(m.Err, &impostor) {
			continue
		}
		var pod corev1.Pod
		err := r.Get(ctx, client.ObjectKeyFromObject(m.Pod), &pod)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("read pod %s: %w", m.Pod.Name, err)
		}
		if err != nil || pod.UID != m.Pod.UID || pod.Status.PodIP != m.Pod.Status.PodIP || pod.DeletionTimestamp != nil {
			m.Err = fmt.Errorf("pod %s is another one by now", m.Pod.Name)
		}
	}
	return nil
}

func (o *Observed) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: o.Cluster.Namespace, Name: name}
}
