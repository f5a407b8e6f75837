package raftcluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

func request(ns, name string) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: ns, Name: name}}
}

// roll lets an operator work and gives the order in which pods were replaced; at every
// moment all but one member must be well.
func (w *world) roll(r *Reconciler, name, what string, done func(*v1alpha1.RaftCluster) bool) []string {
	w.t.Helper()
	var order []string
	seen := w.restartsSeen()
	w.until(r, name, what, func(c *v1alpha1.RaftCluster) bool {
		if n := len(c.Status.Members) - int(c.Status.ReadyReplicas); n > 1 {
			w.t.Errorf("%d members are down at once", n)
		}
		return done(c)
	})
	for _, e := range w.eventsOf(v1alpha1.ReasonPodRestarted)[seen:] {
		order = append(order, strings.Fields(e)[3])
	}
	return order
}

func (w *world) restartsSeen() int { return len(w.eventsOf(v1alpha1.ReasonPodRestarted)) }

func TestChangeGoesFollowersFirstLeaderLast(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*v1alpha1.RaftClusterSpec)
	}{
		{"image", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" }},
		{"resources", func(s *v1alpha1.RaftClusterSpec) {
			s.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
		}},
		{"timing", func(s *v1alpha1.RaftClusterSpec) { s.Raft.ElectionTimeout.Duration = 2 * time.Second }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable) // demo-1 leads
			w.change("demo", tt.change)
			order := w.roll(r, "demo", "rolled", stable)
			if diff := cmp.Diff([]string{"demo-2:", "demo-3:", "demo-1:"}, order); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if got := w.eventsOf(v1alpha1.ReasonLeaderTransferred); len(got) != 1 {
				t.Errorf("transfers: %v, want one", got)
			}
		})
	}
}

// A node that cannot hand over on request does so when it is stopped.
func TestChangeWithoutTransfer(t *testing.T) {
	w := newWorld(t)
	w.noMoves = true
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	if diff := cmp.Diff([]string{"demo-2:", "demo-3:", "demo-1:"}, w.roll(r, "demo", "rolled", stable)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestSingleMemberIsChanged(t *testing.T) {
	w := newWorld(t)
	w.create("solo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 1 })
	r := w.reconciler(w.c)
	w.until(r, "solo", "stable", stable)
	w.change("solo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	w.until(r, "solo", "rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
}

// A broken image stops at the first member; a good one mends that member first.
func TestBrokenImageStopsAndIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.bad = "broken:1"
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	others := w.podUIDs("demo-1-0", "demo-3-0")
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = w.bad })
	c := w.until(r, "demo", "stuck", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRolloutStuck))
	const want = `member demo-2 does not get well with the changed pod (ImagePullBackOff: the image "broken:1" cannot be pulled); ` +
		"1 of 3 members have the changed pod, and the others keep the old one"
	if got := message(t, c, v1alpha1.ConditionProgressing); got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for range 20 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	if got := w.podUIDs("demo-1-0", "demo-3-0"); !slices.Equal(got, others) {
		t.Error("another member was restarted")
	}
	if c := w.get("demo"); !isTrue(v1alpha1.ConditionAvailable)(c) {
		t.Error("the cluster is not available")
	}
	if got := w.eventsOf(v1alpha1.ReasonRolloutStuck); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}

	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "" })
	w.until(r, "demo", "taken back", stable)
	if got := w.podUIDs("demo-1-0", "demo-3-0"); !slices.Equal(got, others) {
		t.Error("a member that had the old pod was restarted")
	}
}

// A first image that is broken can be corrected, though nothing was founded.
func TestBrokenFirstImageIsCorrected(t *testing.T) {
	w := newWorld(t)
	w.bad = "broken:1"
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Image = w.bad })
	r := w.reconciler(w.c)
	w.until(r, "demo", "waiting", func(c *v1alpha1.RaftCluster) bool {
		return hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonFounding)(c) &&
			strings.Contains(message(t, c, v1alpha1.ConditionProgressing), "ImagePullBackOff")
	})
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:1" })
	w.until(r, "demo", "stable", stable)
}

// The RaftCluster is deleted, its volumes are retained, and a new one of that name
// takes them up: same group, same data, no second cluster.
func TestRetainedVolumesAreTakenUp(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	old := w.until(r, "demo", "stable", stable)
	w.deleteCluster("demo")

	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 5 })
	c := w.until(r, "demo", "stable", stable)
	if c.Status.ClusterID != old.Status.ClusterID || c.Status.FoundingReplicas != 3 || c.Status.Replicas != 5 {
		t.Errorf("the group is %s of %d founders with %d members, want %s of 3 with 5",
			c.Status.ClusterID, c.Status.FoundingReplicas, c.Status.Replicas, old.Status.ClusterID)
	}
	for id := int64(1); id <= 3; id++ {
		if got, want := c.Status.Member(id).Incarnation, old.Status.Member(id).Incarnation; got != want {
			t.Errorf("slot of member %d is %s, want %s", id, got, want)
		}
	}
}

// One of the retained claims is gone: its member comes up empty and takes no part.
func TestRetainedVolumesOneMissing(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	old := w.until(r, "demo", "stable", stable)
	w.deleteCluster("demo")
	claim := &corev1.PersistentVolumeClaim{}
	w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "data-demo-2-0"}, claim))
	w.mayLose[2] = true
	claim.Finalizers = nil
	w.must(w.c.Update(w.ctx, claim))
	w.must(w.c.Delete(w.ctx, claim))

	w.create("demo", nil)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRetainedVolumesUnclear))
	const want = "of an earlier group %s there are 2 members, but member 2 is missing; delete the PersistentVolumeClaims " +
		"with the label quorate.dev/cluster=demo to start empty, or bring the missing ones back"
	if got := message(t, c, v1alpha1.ConditionProgressing); got != strings.Replace(want, "%s", old.Status.ClusterID, 1) {
		t.Errorf("message %q", got)
	}
	w.wantNothing()
}

// A new RaftCluster comes while Kubernetes still collects the objects of the old one.
func TestLeftoversAreWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	old := w.until(r, "demo", "stable", stable)
	w.must(w.c.Delete(w.ctx, old)) // its objects stay for now
	w.create("demo", nil)
	c := w.until(r, "demo", "waiting", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonCreating))
	if got, want := message(t, c, v1alpha1.ConditionProgressing), "the group of 3 members gets the ID "+old.Status.ClusterID; !strings.HasPrefix(got, want) {
		t.Errorf("message %q, want %q", got, want)
	}
	w.until(r, "demo", "waiting", func(c *v1alpha1.RaftCluster) bool {
		return message(t, c, v1alpha1.ConditionProgressing) == `waiting for Kubernetes to delete the Secret "demo-ca" of an earlier RaftCluster`
	})
	w.collect("demo")
	c = w.until(r, "demo", "stable", stable)
	w.wantObjects(c, 3)
	if got := w.eventsOf(v1alpha1.ReasonObjectConflict); got != nil {
		t.Errorf("told a conflict: %v", got)
	}
}

// deleteCluster does what Kubernetes does: the owned objects go, the claims stay.
func (w *world) deleteCluster(name string) {
	w.t.Helper()
	w.must(w.c.Delete(w.ctx, w.get(name)))
	w.collect(name)
}

// collect deletes the objects of a cluster, whoever owns them, but the claims.
func (w *world) collect(name string) {
	w.t.Helper()
	in := []client.DeleteAllOfOption{client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: name}}
	for _, kind := range ownedKinds() {
		w.must(w.c.DeleteAllOf(w.ctx, kind, in...))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.nodes)
	w.leader = ""
}
