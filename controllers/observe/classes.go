package observe

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TooSmall tells whether a claim asks for less than what is wanted.
func (o *Observed) TooSmall(claim *corev1.PersistentVolumeClaim) bool {
	asks := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	return asks.Cmp(o.Cluster.Spec.Storage.Size) < 0
}

// ClassOf is the name of a claim's StorageClass, empty for none.
func ClassOf(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// gatherClasses reads the StorageClasses of the members' claims that are to grow, so none
// at all but on that rare day.
func (o *Observed) gatherClasses(ctx context.Context, r client.Reader) error {
	for i := range o.Members {
		claim := o.Claim(&o.Members[i])
		if claim == nil || !o.TooSmall(claim) || ClassOf(claim) == "" {
			continue
		}
		name := ClassOf(claim)
		if _, known := o.Classes[name]; known {
			continue
		}
		var class storagev1.StorageClass
		switch err := r.Get(ctx, types.NamespacedName{Name: name}, &class); {
		case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
			o.Classes[name] = nil
		case err != nil:
			return fmt.Errorf("read StorageClass %s: %w", name, err)
		default:
			o.Classes[name] = &class
		}
	}
	return nil
}
