package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// class makes the StorageClass that has the world's name, and gives that.
func (w *world) class(expands bool) *string { return w.classOf(w.ns, expands) }

func (w *world) classOf(name string, expands bool) *string {
	w.t.Helper()
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "model", AllowVolumeExpansion: &expands}
	w.must(w.c.Create(w.ctx, class))
	return &class.Name
}

// stepClaims binds claims to volumes, and lets them grow unless growth says otherwise.
func (w *world) stepClaims(claims []corev1.PersistentVolumeClaim) {
	w.t.Helper()
	for i := range claims {
		c := &claims[i]
		asks, has := c.Spec.Resources.Requests[corev1.ResourceStorage], c.Status.Capacity[corev1.ResourceStorage]
		if w.withoutVolume(c) {
			continue
		}
		if c.Status.Phase == corev1.ClaimBound && has.Cmp(asks) >= 0 {
			continue
		}
		if c.Status.Phase == corev1.ClaimBound && w.growth != nil {
			c.Status.Conditions = []corev1.PersistentVolumeClaimCondition{*w.growth}
		} else {
			c.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{corev1.ResourceStorage: asks}}
		}
		// The operator may have written it meanwhile, where a manager runs: the next step looks again.
		if err := w.c.Status().Update(w.ctx, c); !apierrors.IsConflict(err) {
			w.must(client.IgnoreNotFound(err))
		}
	}
}

// withoutVolume tells whether a claim waits for a volume that does not come.
func (w *world) withoutVolume(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Spec.StorageClassName != nil && w.dry[*claim.Spec.StorageClassName] && claim.Status.Phase != corev1.ClaimBound
}

// capacities tells the size of each volume, by claim; of members that have left, nothing.
func (w *world) capacities() string {
	w.t.Helper()
	var claims corev1.PersistentVolumeClaimList
	w.must(w.c.List(w.ctx, &claims, client.InNamespace(w.ns)))
	var all []string
	for i := range claims.Items {
		if claims.Items[i].DeletionTimestamp != nil || claims.Items[i].Annotations[v1alpha1.AnnotationRemoved] != "" {
			continue
		}
		size := claims.Items[i].Status.Capacity[corev1.ResourceStorage]
		all = append(all, size.String())
	}
	return strings.Join(all, " ")
}

func TestExpansion(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = w.class(true) })
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
	w.growth = &corev1.PersistentVolumeClaimCondition{Type: corev1.PersistentVolumeClaimFileSystemResizePending, Status: corev1.ConditionTrue}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
	c := w.until(r, "demo", "growing", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonExpandingVolumes))
	if got := message(t, c, v1alpha1.ConditionProgressing); !strings.Contains(got, "data-demo-3-0 grows from 1Gi to 2Gi; its file system follows") {
		t.Errorf("message: %s", got)
	}
	w.wantNoWrites("demo")
	w.growth = nil
	c = w.until(r, "demo", "grown", stable)
	if got := w.capacities(); got != "2Gi 2Gi 2Gi" {
		t.Errorf("volumes have %s", got)
	}
	w.wantSameGroup(before, c)
	w.wantPods(pods, "demo-1-0", "demo-2-0", "demo-3-0")
	if got := w.eventsOf(v1alpha1.ReasonVolumeExpanded); len(got) != 3 {
		t.Errorf("Events: %v, want 3", got)
	}
	// The marks on the claims are still there: a new RaftCluster takes them up.
	w.deleteCluster("demo")
	w.create("demo", func(n *v1alpha1.RaftCluster) { n.Spec.Storage = *c.Spec.Storage.DeepCopy() })
	w.wantSameGroup(before, w.until(r, "demo", "stable", stable))
}

func TestExpansionFails(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = w.class(true) })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.growth = &corev1.PersistentVolumeClaimCondition{
		Type: corev1.PersistentVolumeClaimControllerResizeError, Status: corev1.ConditionTrue, Message: "no space in pool A",
	}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
	c := w.until(r, "demo", "failed", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonExpansionFailed))
	if got := message(t, c, v1alpha1.ConditionProgressing); !strings.Contains(got, "data-demo-1-0 does not grow from 1Gi to 2Gi: no space in pool A") {
		t.Errorf("message: %s", got)
	}
	if got := w.eventsOf(v1alpha1.ReasonExpansionFailed); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}
	// A failed expansion holds up nothing else.
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	w.until(r, "demo", "rolled", func(c *v1alpha1.RaftCluster) bool { return c.Status.Version == "node:2" && c.Status.Ready == "3/3" })
}

// Where the class does not allow it, or there is none, new members on larger volumes take the
// places of the others, one after the other, whichever leads last.
func TestVolumesThatCannotGrow(t *testing.T) {
	t.Parallel()
	for _, withClass := range []bool{true, false} {
		t.Run(fmt.Sprintf("class %t", withClass), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", func(c *v1alpha1.RaftCluster) {
				if withClass {
					c.Spec.Storage.StorageClassName = w.class(false)
				}
			})
			r := w.reconciler(w.c)
			before := w.until(r, "demo", "stable", stable)
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
			c := w.until(r, "demo", "moved", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Member(1) == nil })
			w.wantMembers(c, 4, 5, 6)
			if got := w.capacities(); got != "2Gi 2Gi 2Gi" || c.Status.ClusterID != before.Status.ClusterID {
				t.Errorf("volumes have %s, the group is %s, was %s", got, c.Status.ClusterID, before.Status.ClusterID)
			}
			if got := w.eventsOf(v1alpha1.ReasonVolumeExpanded); len(got) != 0 {
				t.Errorf("Events: %v, want none", got)
			}
		})
	}
}

// The operator may not read StorageClasses: the API server is asked, and its answer told.
func TestExpansionWithoutARightToLook(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprintf("allowed %t", allowed), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = w.class(allowed) })
			r := w.reconciler(w.c)
			r.APIReader = interceptor.NewClient(w.c, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if _, ok := obj.(*storagev1.StorageClass); ok {
						return apierrors.NewForbidden(schema.GroupResource{Resource: "storageclasses"}, key.Name, errors.New("no right"))
					}
					return c.Get(ctx, key, obj, opts...)
				},
			})
			w.until(r, "demo", "stable", stable)
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
			if allowed {
				w.until(r, "demo", "expanded", func(c *v1alpha1.RaftCluster) bool { return stable(c) && w.capacities() == "2Gi 2Gi 2Gi" })
				return
			}
			c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonExpansionFailed))
			if got := message(t, c, v1alpha1.ConditionProgressing); !strings.Contains(got, "the storageclass that provisions the pvc must support resize") {
				t.Errorf("message: %s", got)
			}
		})
	}
}

// What becomes of the volumes may be decided at any time, also while a roll-out is stuck and
// while nobody runs.
func TestWhenDeletedChangesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.bad = "broken:1"
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = w.bad })
	w.until(r, "demo", "stuck", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRolloutStuck))
	pods := w.podUIDs("demo-1-0", "demo-3-0")
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.WhenDeleted = v1alpha1.DeleteVolumes })
	w.until(r, "demo", "taken over", func(*v1alpha1.RaftCluster) bool { return w.retention() == "Delete Delete Delete" })
	w.wantPods(pods, "demo-1-0", "demo-3-0")
	w.hibernate("demo", true)
	w.until(r, "demo", "asleep", asleep)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.WhenDeleted = v1alpha1.RetainVolumes })
	w.until(r, "demo", "taken over", func(*v1alpha1.RaftCluster) bool { return w.retention() == "Retain Retain Retain" })
	w.wantAsleep(3)
}
