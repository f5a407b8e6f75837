package raftcluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
)

// FieldOwner owns every field that the operator applies.
const FieldOwner = client.FieldOwner("quorate-operator")

// ConflictError says that an object of a needed name belongs to somebody else.
type ConflictError struct{ Kind, Name string }

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s %q exists and does not belong to this RaftCluster; rename or delete one of the two", e.Kind, e.Name)
}

// LeftoverError says that an object of an earlier RaftCluster of the name is still there.
type LeftoverError struct{ Kind, Name string }

// Error implements error.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("waiting for Kubernetes to delete the %s %q of an earlier RaftCluster", e.Kind, e.Name)
}

// keepObjects makes what is not as wanted as wanted, as far as no pod is restarted by
// that. A StatefulSet whose pod template must change waits for its turn in the plan.
func (r *Reconciler) keepObjects(ctx context.Context, o *observe.Observed) error {
	var errs []error
	for _, want := range objects.Shared(o.Cluster, r.Options) {
		kind := want.GetObjectKind().GroupVersionKind().Kind
		errs = append(errs, r.ensure(ctx, o, want, o.Shared[observe.Key{Kind: kind, Name: want.GetName()}]))
	}
	for i := range o.Members {
		m := &o.Members[i]
		if m.Set == nil {
			continue
		}
		want := objects.Member(o.Cluster, r.Options, m.ID, m.Set)
		if want.Annotations[v1alpha1.AnnotationTemplateHash] == m.TemplateHash() {
			errs = append(errs, r.ensure(ctx, o, want, m.Set))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) applyMember(ctx context.Context, o *observe.Observed, m *observe.Member, reason, note string) error {
	var live client.Object
	if m.Set != nil {
		live = m.Set
	}
	want := objects.Member(o.Cluster, r.Options, m.ID, m.Set)
	if err := r.ensure(ctx, o, want, live); err != nil {
		return err
	}
	r.event(o.Cluster, want, corev1.EventTypeNormal, reason, "Apply", fmt.Sprintf(note, m.Name))
	return nil
}

// ensure applies an object unless the live one, nil for none in the cache, already is
// what is wanted.
func (r *Reconciler) ensure(ctx context.Context, o *observe.Observed, want, live client.Object) error {
	kind := want.GetObjectKind().GroupVersionKind().Kind
	if live == nil {
		if err := r.mayCreate(ctx, o, kind, want); err != nil {
			return err
		}
	} else if path, err := objects.Difference(live, want); path == "" || err != nil {
		return err
	} else {
		logf.FromContext(ctx).V(1).Info("an object is not as wanted", "kind", kind, "name", want.GetName(), "field", path)
	}
	u, err := objects.Unstructured(want)
	if err != nil {
		return err
	}
	if err := r.apply(ctx, u); err != nil {
		return fmt.Errorf("apply %s %s: %w", kind, want.GetName(), err)
	}
	return nil
}

// mayCreate asks the API server itself whether the name is free, or the object is ours
// and only the cache does not know yet.
func (r *Reconciler) mayCreate(ctx context.Context, o *observe.Observed, kind string, want client.Object) error {
	there := want.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
	err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(want), there)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("read %s %s: %w", kind, want.GetName(), err)
	case metav1.IsControlledBy(there, o.Cluster):
		return nil
	}
	owner := metav1.GetControllerOf(there)
	if there.GetDeletionTimestamp() != nil || owner != nil && owner.Kind == v1alpha1.Kind && owner.Name == o.Cluster.Name {
		return &LeftoverError{Kind: kind, Name: want.GetName()}
	}
	return &ConflictError{Kind: kind, Name: want.GetName()}
}

// markClaim writes the incarnation on a member's claim, that very one.
func (r *Reconciler) markClaim(ctx context.Context, o *observe.Observed, m *observe.Member, incarnation string) error {
	claim := o.Claim(m)
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "PersistentVolumeClaim",
		"metadata": map[string]any{
			"name": claim.Name, "namespace": claim.Namespace, "uid": string(claim.UID),
			"annotations": map[string]any{v1alpha1.AnnotationFounded: incarnation},
		},
	}}
	if err := r.apply(ctx, u); err != nil {
		return fmt.Errorf("mark claim %s as founded: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) apply(ctx context.Context, u *unstructured.Unstructured) error {
	return r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), FieldOwner, client.ForceOwnership)
}
