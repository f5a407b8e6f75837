package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
)

// FieldOwner owns every field that the operator applies.
const FieldOwner = client.FieldOwner("quorate-operator")

// keepObjects makes what is not as wanted as wanted, as far as no pod is started, stopped
// or restarted by that.
func (r *Reconciler) keepObjects(ctx context.Context, o *observe.Observed) error {
	var errs []error
	for _, want := range objects.Shared(o.Cluster, r.Options) {
		kind := want.GetObjectKind().GroupVersionKind().Kind
		errs = append(errs, r.ensure(ctx, o, want, o.Shared[observe.Key{Kind: kind, Name: want.GetName()}]))
	}
	for i := range o.Members {
		errs = append(errs, r.keepMember(ctx, o, &o.Members[i]))
	}
	return errors.Join(errs...)
}

// markClaim writes on a member's claim, that very one, what must be known when status is gone.
func (r *Reconciler) markClaim(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	claim := o.Claim(m)
	mark := map[string]any{}
	for k, v := range objects.ClaimMark(o.Cluster, m.ID) {
		mark[k] = v
	}
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "PersistentVolumeClaim",
		"metadata": map[string]any{
			"name": claim.Name, "namespace": claim.Namespace, "uid": string(claim.UID),
			"labels":      map[string]any{v1alpha1.LabelCluster: o.Cluster.Name, v1alpha1.LabelMember: strconv.FormatInt(m.ID, 10)},
			"annotations": mark,
		},
	}}
	if err := r.apply(ctx, u); err != nil {
		return fmt.Errorf("mark claim %s: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) apply(ctx context.Context, u *unstructured.Unstructured) error {
	return r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), FieldOwner, client.ForceOwnership)
}
