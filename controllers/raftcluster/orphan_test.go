package raftcluster

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// remembering is a cache that goes on to show a RaftCluster as it was.
func remembering(c client.WithWatch, was *v1alpha1.RaftCluster) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if cluster, is := obj.(*v1alpha1.RaftCluster); is {
				was.DeepCopyInto(cluster)
				return nil
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
}

// A RaftCluster is deleted without its objects, and the cache shows that of the objects first:
// nothing is taken over, because Kubernetes would collect what belongs to an owner that is gone.
func TestOrphansOfADeletedClusterAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.WhenDeleted = v1alpha1.DeleteVolumes })
	was := w.until(w.reconciler(w.c), "demo", "stable", stable)
	w.deleteOrphaning("demo")
	r := w.reconciler(remembering(w.c, was))
	for range 10 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	w.wantOwnerless("demo")
}

// wantOwnerless checks that nobody controls the objects of a cluster.
func (w *world) wantOwnerless(name string) {
	w.t.Helper()
	for _, list := range ownedLists() {
		w.must(w.c.List(w.ctx, list, client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: name}))
		for _, obj := range itemsOf(w.t, list) {
			if owner := metav1.GetControllerOf(obj); owner != nil {
				w.t.Errorf("%T %s belongs to %s %s", obj, obj.GetName(), owner.Kind, owner.Name)
			}
		}
	}
}
