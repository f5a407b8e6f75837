package raftcluster

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
)

// deleteOrphaning does what kubectl delete --cascade=orphan does.
func (w *world) deleteOrphaning(name string) {
	w.t.Helper()
	w.must(w.c.Delete(w.ctx, w.get(name)))
	for _, list := range ownedLists() {
		w.must(w.c.List(w.ctx, list, client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: name}))
		for _, obj := range itemsOf(w.t, list) {
			obj.SetOwnerReferences(nil)
			w.must(w.c.Update(w.ctx, obj))
		}
	}
}

func (w *world) sets() []appsv1.StatefulSet {
	w.t.Helper()
	var sets appsv1.StatefulSetList
	w.must(w.c.List(w.ctx, &sets, client.InNamespace(w.ns)))
	return sets.Items
}

// retention tells what becomes of the claims of each StatefulSet.
func (w *world) retention() string {
	w.t.Helper()
	var all []string
	for _, s := range w.sets() {
		all = append(all, string(s.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted))
	}
	return strings.Join(all, " ")
}

func (w *world) wantSameGroup(before, after *v1alpha1.RaftCluster) {
	w.t.Helper()
	if diff := cmp.Diff(slots(before), slots(after)); diff != "" || before.Status.ClusterID != after.Status.ClusterID {
		w.t.Errorf("the group is %s, it was %s; slots (-before +after):\n%s", after.Status.ClusterID, before.Status.ClusterID, diff)
	}
}

func (w *world) wantPods(uids []types.UID, names ...string) {
	w.t.Helper()
	if got := w.podUIDs(names...); !slices.Equal(got, uids) {
		w.t.Errorf("pods %v are %v now, they were %v", names, got, uids)
	}
}

// The RaftCluster is deleted without its objects and made again: it takes all of them over,
// no pod notices, and what it wants otherwise than before follows as ever.
func TestOrphansAreAdopted(t *testing.T) {
	t.Parallel()
	for _, when := range []v1alpha1.WhenDeleted{v1alpha1.RetainVolumes, v1alpha1.DeleteVolumes} {
		t.Run(string(when), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", func(c *v1alpha1.RaftCluster) {
				c.Spec.Storage.WhenDeleted = when
				c.Spec.Storage.StorageClassName = w.class(true)
			})
			r := w.reconciler(w.c)
			before := w.until(r, "demo", "stable", stable)
			w.ownClaims(when)
			secrets := w.secrets()
			pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
			w.deleteOrphaning("demo")
			w.create("demo", func(c *v1alpha1.RaftCluster) {
				c.Spec.Storage = *before.Spec.Storage.DeepCopy()
				c.Spec.Storage.Size = resource.MustParse("2Gi")
			})
			c := w.until(r, "demo", "adopted", stable)
			w.wantSameGroup(before, c)
			w.wantPods(pods, "demo-1-0", "demo-2-0", "demo-3-0")
			w.wantObjects(c, 3)
			for name, s := range w.secrets() {
				if !metav1.IsControlledBy(s, c) || !reflect.DeepEqual(s.Data, secrets[name].Data) {
					t.Errorf("Secret %s is not the RaftCluster's, or another one than before", name)
				}
			}
			if got := w.eventsOf(v1alpha1.ReasonAdopted); len(got) != 8 {
				t.Errorf("adopted: %v, want 3 StatefulSets and 5 others", got)
			}
			if got := w.capacities(); got != "2Gi 2Gi 2Gi" {
				t.Errorf("volumes have %s, want 2Gi", got)
			}
			w.wantNoWrites("demo")
		})
	}
}

// secrets gives the cluster's Secrets by name; there are some.
func (w *world) secrets() map[string]*corev1.Secret {
	w.t.Helper()
	var list corev1.SecretList
	w.must(w.c.List(w.ctx, &list, client.InNamespace(w.ns), client.HasLabels{v1alpha1.LabelCluster}))
	if len(list.Items) == 0 {
		w.t.Fatal("there are no Secrets")
	}
	all := map[string]*corev1.Secret{}
	for i := range list.Items {
		all[list.Items[i].Name] = &list.Items[i]
	}
	return all
}

// ownClaims does what the StatefulSet controller does for whenDeleted: Delete.
func (w *world) ownClaims(when v1alpha1.WhenDeleted) {
	w.t.Helper()
	if when != v1alpha1.DeleteVolumes {
		return
	}
	for _, s := range w.sets() {
		var claim corev1.PersistentVolumeClaim
		w.must(w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: "data-" + s.Name + "-0"}, &claim))
		claim.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: s.Name, UID: s.UID}}
		w.must(w.c.Update(w.ctx, &claim))
	}
}

// A changed pod waits for its turn: adoption restarts nobody, and then it goes followers
// first.
func TestAdoptionThenRollout(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	w.deleteOrphaning("demo")
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Image = "node:2" })
	w.until(r, "demo", "looked at", func(c *v1alpha1.RaftCluster) bool { return c.Status.Ready == "3/3" })
	order := w.roll(r, "demo", "rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
	if diff := cmp.Diff([]string{"demo-2:", "demo-3:", "demo-1:"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	w.wantSameGroup(before, w.get("demo"))
}

// What tells another group, or nothing, is not taken over.
func TestForeignersAreNotAdopted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*corev1.Service)
	}{
		{"another group", func(s *corev1.Service) { s.Annotations[v1alpha1.AnnotationClusterID] = "xyz" }},
		{"no group", func(s *corev1.Service) { delete(s.Annotations, v1alpha1.AnnotationClusterID) }},
		{"not of the cluster", func(s *corev1.Service) { delete(s.Labels, v1alpha1.LabelCluster) }},
		{"somebody controls it", func(s *corev1.Service) {
			yes := true
			s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "theirs", UID: "u", Controller: &yes}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			w.deleteOrphaning("demo")
			svc := &corev1.Service{}
			key := client.ObjectKey{Namespace: w.ns, Name: "demo"}
			w.must(w.c.Get(w.ctx, key, svc))
			tt.change(svc)
			w.must(w.c.Update(w.ctx, svc))
			w.create("demo", nil)
			c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonObjectConflict))
			if got := message(t, c, v1alpha1.ConditionProgressing); !strings.HasPrefix(got, `Service "demo" exists and does not belong to this RaftCluster`) {
				t.Errorf("message: %s", got)
			}
			version := svc.ResourceVersion
			w.must(w.c.Get(w.ctx, key, svc))
			if svc.ResourceVersion != version {
				t.Error("the object was changed")
			}
		})
	}
}

// A claim of a needed name that tells nothing is somebody else's volume: a StatefulSet would
// mount it, so there is none.
func TestClaimOfOthersIsNotUsed(t *testing.T) {
	w := newWorld(t)
	theirs := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data-demo-2-0", Namespace: w.ns}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	w.must(w.c.Create(w.ctx, theirs))
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRetainedVolumesUnclear))
	if got := message(t, c, v1alpha1.ConditionProgressing); !strings.Contains(got, `PersistentVolumeClaim data-demo-2-0 has ""`) {
		t.Errorf("message: %s", got)
	}
	w.wantNothing()
}

// Nothing of a RaftCluster holds up its deletion: it has no finalizer, and no object blocks
// the deletion of its owner.
func TestNothingHoldsUpTheDeletion(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "stable", stable)
	if len(c.Finalizers) != 0 {
		t.Errorf("finalizers %v", c.Finalizers)
	}
	for _, list := range ownedLists() {
		w.must(w.c.List(w.ctx, list, client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: "demo"}))
		for _, obj := range itemsOf(t, list) {
			if len(obj.GetFinalizers()) != 0 {
				t.Errorf("%T %s has finalizers %v", obj, obj.GetName(), obj.GetFinalizers())
			}
			for _, ref := range obj.GetOwnerReferences() {
				if ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion {
					t.Errorf("%T %s blocks the deletion of its owner", obj, obj.GetName())
				}
			}
		}
	}
	for _, obj := range objects.Shared(c, r.Options) {
		if obj.GetNamespace() != c.Namespace {
			t.Errorf("%T %s is not in the namespace of its owner: Kubernetes would not collect it", obj, obj.GetName())
		}
	}
}

// A host is lost with a pod on it: the RaftCluster goes all the same, and a new one of that
// name tells what it waits for.
func TestDeletionWithALostHost(t *testing.T) {
	w := newWorld(t)
	w.placed = true
	w.create("demo", nil)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	for _, name := range []string{"demo-1-0", "demo-2-0", "demo-3-0"} {
		w.failMachine(name)
	}
	w.must(w.c.Delete(w.ctx, w.get("demo")))
	var gone v1alpha1.RaftCluster
	if err := w.c.Get(w.ctx, client.ObjectKeyFromObject(before), &gone); client.IgnoreNotFound(err) != nil || err == nil {
		t.Fatalf("the RaftCluster is still there: %v", err)
	}
	w.collect("demo") // the pods stay: nobody on the host ends them
	w.placed = false
	w.create("demo", nil)
	c := w.until(r, "demo", "waiting", func(c *v1alpha1.RaftCluster) bool {
		return hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonWaitingForMembers)(c) &&
			strings.Contains(message(t, c, v1alpha1.ConditionProgressing), "demo-1-0")
	})
	want := "waiting for member demo-1 (pod demo-1-0 of an earlier StatefulSet has not ended on host " + w.ns + "-demo-1-0)"
	if got := message(t, c, v1alpha1.ConditionProgressing); got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for _, name := range []string{"demo-1-0", "demo-2-0", "demo-3-0"} { // the host is known to be gone
		w.must(w.c.Delete(w.ctx, w.pod(name), client.GracePeriodSeconds(0)))
	}
	clear(w.failed)
	w.wantSameGroup(before, w.until(r, "demo", "stable", stable))
}
