package raftcluster

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

func ownedKinds() []client.Object {
	return []client.Object{
		&corev1.Pod{}, &appsv1.StatefulSet{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.Secret{},
		&policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	}
}

func ownedLists() []client.ObjectList {
	return []client.ObjectList{
		&appsv1.StatefulSetList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{},
		&policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{}, &corev1.SecretList{},
	}
}

// lagging answers reads with what the API server answered some reads of that kind ago,
// as a cache does whose watch lags.
type lagging struct {
	by   int
	only string // the type of what lags; empty: all
	past map[string][]any
}

func (l *lagging) wrap(c client.WithWatch) client.WithWatch {
	l.past = map[string][]any{}
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, obj, opts...); err != nil {
				return err
			}
			l.swap(fmt.Sprintf("%T %s", obj, key), obj.DeepCopyObject(), obj)
			return nil
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := c.List(ctx, list, opts...); err != nil {
				return err
			}
			l.swap(fmt.Sprintf("%T", list), list.DeepCopyObject(), list)
			return nil
		},
	})
}

// swap remembers the fresh answer and puts the old one in its place.
func (l *lagging) swap(key string, fresh, out any) {
	l.past[key] = append(l.past[key], fresh)
	by := l.by
	if !strings.HasPrefix(key, l.only) {
		by = 0
	}
	old := l.past[key][max(0, len(l.past[key])-1-by)]
	reflect.ValueOf(out).Elem().Set(reflect.ValueOf(old).Elem())
}

// A cache that does not know of retained volumes yet must not lead to a new group.
func TestStaleCacheDoesNotHideVolumes(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	old := w.until(w.reconciler(w.c), "demo", "stable", stable)
	w.deleteCluster("demo")
	w.create("demo", nil)
	blind := interceptor.NewClient(w.c, interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})
	if _, err := w.reconciler(blind).Reconcile(w.ctx, request(w.ns, "demo")); err != nil {
		t.Fatal(err)
	}
	if got := w.get("demo").Status.ClusterID; got != old.Status.ClusterID {
		t.Errorf("the group is %q, want %q", got, old.Status.ClusterID)
	}
	w.until(w.reconciler(w.c), "demo", "stable", stable)
}

// With caches that lag by up to four passes the operator gets there all the same: one ID,
// each object once, no restart that was not due.
func TestStaleCacheDoesNoHarm(t *testing.T) {
	t.Parallel()
	for by := 1; by <= 4; by++ {
		t.Run(fmt.Sprintf("lag %d", by), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			l := &lagging{by: by}
			r := w.reconciler(l.wrap(w.c))
			c := w.until(r, "demo", "stable", stable)
			id := c.Status.ClusterID
			if got := w.eventsOf(v1alpha1.ReasonClusterIDLatched); len(got) != 1 {
				t.Errorf("the ID was latched %d times: %v", len(got), got)
			}
			w.damage("demo-3-0", logCorrupt)
			old := w.podUID("demo-3-0")
			w.until(r, "demo", "restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-3-0") != old })
			w.damage("demo-3-0", nil)
			c = w.until(r, "demo", "well", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
			if got := w.restartsSeen(); got != 1 || c.Status.Member(3).Restarts.Count != 1 {
				t.Errorf("%d restarts, counted %d, want 1 of 1", got, c.Status.Member(3).Restarts.Count)
			}
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
			order := w.roll(r, "demo", "rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
			if diff := cmp.Diff([]string{"demo-2:", "demo-3:", "demo-1:"}, order); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
			w.until(r, "demo", "four", settledWith(4))
			w.wipe("demo", 2)
			w.until(r, "demo", "replaced", replaced(2, 4))
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
			c = w.until(r, "demo", "three", settledWith(3))
			if c.Status.ClusterID != id {
				t.Error("the cluster ID changed")
			}
			w.wantMembers(c, idsOf(c)...)
			if diff := cmp.Diff([]string{"add 4", "promote 4", "add 5", "promote 5 remove 2"}, w.changes[:4]); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}
