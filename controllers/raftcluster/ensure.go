package raftcluster

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/controllers/observe"
)

// createMember creates a member's StatefulSet, or takes over one that only the picture does
// not know. A member that has left since the picture was taken must not be made again, so
// status is read past the cache.
func (r *Reconciler) createMember(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	var cluster v1alpha1.RaftCluster
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(o.Cluster), &cluster); err != nil {
		return client.IgnoreNotFound(err)
	}
	if cluster.UID != o.Cluster.UID || cluster.Status.Member(m.ID) == nil || cluster.Status.Gone(m.ID) {
		logf.FromContext(ctx).Info("the picture was old, and the member is not created", "member", m.Name)
		return nil
	}
	if there, err := r.takeOverSet(ctx, o, m); there || err != nil {
		return err
	}
	want := objects.Member(r.forNewcomer(o), r.Options, m.ID, nil)
	if err := r.write(ctx, want, ""); err != nil {
		return err
	}
	r.event(o.Cluster, want, corev1.EventTypeNormal, v1alpha1.ReasonMemberCreated, "Apply", fmt.Sprintf("StatefulSet %s is created", m.Name))
	return nil
}

// forNewcomer gives the cluster as a member that joins now wants it: as long as nobody is seen
// to run with a change, with the pod of those that serve. It gets the change in its turn, so a
// roll-out that is stuck, or about to be, keeps nobody from being replaced.
func (r *Reconciler) forNewcomer(o *observe.Observed) *v1alpha1.RaftCluster {
	var served *appsv1.StatefulSet
	for i := range o.Members {
		m := &o.Members[i]
		if m.Set == nil || !o.Follows(m) {
			continue
		}
		wanted := objects.Member(o.Cluster, r.Options, m.ID, m.Set).Annotations[v1alpha1.AnnotationTemplateHash]
		switch m.PodHash() {
		case wanted:
			return o.Cluster
		case m.TemplateHash():
			served = m.Set
		}
	}
	if served == nil {
		return o.Cluster
	}
	return objects.WithPodOf(o.Cluster, served)
}

func (r *Reconciler) adoptMember(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	_, err := r.takeOverSet(ctx, o, m)
	return err
}

// takeOverSet makes the StatefulSet that has a member's name the RaftCluster's, as it is: whether
// its pod changes, starts or stops is for the plan to say. there: there is one.
func (r *Reconciler) takeOverSet(ctx context.Context, o *observe.Observed, m *observe.Member) (there bool, _ error) {
	occupant, err := r.occupant(ctx, o, objects.Member(o.Cluster, r.Options, m.ID, nil))
	set, ok := occupant.(*appsv1.StatefulSet)
	if err != nil || !ok {
		return false, err
	}
	want := objects.Member(o.Cluster, r.Options, m.ID, set)
	objects.KeepTemplate(want, set)
	want.Spec.Replicas = set.Spec.Replicas
	return true, r.takeOver(ctx, o, want, set)
}

func (r *Reconciler) updateMember(ctx context.Context, o *observe.Observed, m *observe.Member) error {
	want := objects.Member(o.Cluster, r.Options, m.ID, m.Set)
	if err := r.ensure(ctx, o, want, m.Set); err != nil {
		return err
	}
	r.event(o.Cluster, want, corev1.EventTypeNormal, v1alpha1.ReasonMemberUpdated, "Apply", fmt.Sprintf("StatefulSet %s gets the changed pod template", m.Name))
	return nil
}

// ensure applies an object unless the live one, nil for none in the picture, already is
// what is wanted.
func (r *Reconciler) ensure(ctx context.Context, o *observe.Observed, want, live client.Object) error {
	if live == nil {
		there, err := r.occupant(ctx, o, want)
		switch {
		case err != nil:
			return err
		case there != nil:
			return r.takeOver(ctx, o, want, there)
		}
		return r.write(ctx, want, "")
	}
	path, err := objects.Difference(live, want)
	if path == "" || err != nil {
		return err
	}
	if r.fights.lost(live.GetUID(), path, o.Now) {
		return &StubbornError{Kind: wantedKind(want), Name: want.GetName(), Path: path}
	}
	logf.FromContext(ctx).V(1).Info("an object is not as wanted", "kind", wantedKind(want), "name", want.GetName(), "field", path)
	_, err = r.overwrite(ctx, o, want, live)
	return err
}

// overwrite applies an object over one that is there, if the API server itself says that the
// RaftCluster still is what was seen: Kubernetes collects what belongs to one that is gone.
func (r *Reconciler) overwrite(ctx context.Context, o *observe.Observed, want, there client.Object) (done bool, _ error) {
	stale, err := r.changed(ctx, o)
	if err != nil {
		return false, err
	}
	if stale != "" {
		logf.FromContext(ctx).Info("an object stays as it is", "kind", wantedKind(want), "name", want.GetName(), "because", stale)
		return false, nil
	}
	return true, r.write(ctx, want, there.GetUID())
}

// takeOver applies an object over one that nobody controls, or whose label was lost.
func (r *Reconciler) takeOver(ctx context.Context, o *observe.Observed, want, there client.Object) error {
	done, err := r.overwrite(ctx, o, want, there)
	if !done || err != nil {
		return err
	}
	if !metav1.IsControlledBy(there, o.Cluster) {
		r.event(o.Cluster, want, corev1.EventTypeNormal, v1alpha1.ReasonAdopted, "Adopt",
			fmt.Sprintf("%s %s of the group %s had no owner and is taken over", wantedKind(want), want.GetName(), o.Cluster.Status.ClusterID))
	}
	return nil
}

// occupant asks the API server itself for the object that has the name of a wanted one. nil:
// the name is free. An object that belongs to others is an error.
func (r *Reconciler) occupant(ctx context.Context, o *observe.Observed, want client.Object) (client.Object, error) {
	kind := wantedKind(want)
	there := want.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy is of the same type
	err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(want), there)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", kind, want.GetName(), err)
	case metav1.IsControlledBy(there, o.Cluster), observe.Adoptable(o.Cluster, there):
		return there, nil
	}
	owner := metav1.GetControllerOf(there)
	if there.GetDeletionTimestamp() != nil || owner != nil && owner.Kind == v1alpha1.Kind && owner.Name == o.Cluster.Name {
		return nil, &LeftoverError{Kind: kind, Name: want.GetName()}
	}
	return nil, &ConflictError{Kind: kind, Name: want.GetName()}
}

// write applies an object, over the one of that UID and no other; an empty UID: the name is
// free. What others hold on to is taken from them: server-side apply leaves their entries in
// lists and their fields, so where these are in the way the whole spec is put in place.
func (r *Reconciler) write(ctx context.Context, want client.Object, uid types.UID) error {
	u, err := objects.Unstructured(want)
	if err != nil {
		return err
	}
	spec := u.DeepCopy().Object["spec"]
	if uid != "" {
		u.SetUID(uid)
	}
	err = r.apply(ctx, u)
	var path string
	switch {
	case apierrors.IsConflict(err):
		return nil // it is another object by now: the next pass looks again
	case err != nil && (!apierrors.IsInvalid(err) || uid == "" || spec == nil):
		return fmt.Errorf("apply %s %s: %w", wantedKind(want), want.GetName(), err)
	case err == nil:
		if path, err = objects.Difference(u, want); path == "" || err != nil {
			return err
		}
	}
	if spec == nil {
		return &StubbornError{Kind: wantedKind(want), Name: want.GetName(), Path: path}
	}
	return r.replaceSpec(ctx, want, u.GetUID(), spec)
}

func (r *Reconciler) replaceSpec(ctx context.Context, want client.Object, uid types.UID, spec any) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": uid},
		{"op": "replace", "path": "/spec", "value": spec},
	})
	if err != nil {
		return fmt.Errorf("patch of %s %s: %w", wantedKind(want), want.GetName(), err)
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(want.GetObjectKind().GroupVersionKind())
	u.SetNamespace(want.GetNamespace())
	u.SetName(want.GetName())
	if err := r.Client.Patch(ctx, u, client.RawPatch(types.JSONPatchType, patch), FieldOwner); err != nil {
		return fmt.Errorf("replace the spec of %s %s: %w", wantedKind(want), want.GetName(), err)
	}
	path, err := objects.Difference(u, want)
	if err == nil && path != "" {
		return &StubbornError{Kind: wantedKind(want), Name: want.GetName(), Path: path}
	}
	return err
}

func wantedKind(obj client.Object) string { return obj.GetObjectKind().GroupVersionKind().Kind }
