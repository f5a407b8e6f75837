package raftcluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

var asleep = hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonHibernated)

func (w *world) hibernate(name string, wanted bool) {
	w.t.Helper()
	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Hibernated = wanted })
}

// wantAsleep checks that no pod of a cluster is left, and all claims are.
func (w *world) wantAsleep(claims int) {
	w.t.Helper()
	var pods corev1.PodList
	w.must(w.c.List(w.ctx, &pods, client.InNamespace(w.ns)))
	var volumes corev1.PersistentVolumeClaimList
	w.must(w.c.List(w.ctx, &volumes, client.InNamespace(w.ns)))
	if len(pods.Items) != 0 || len(volumes.Items) != claims {
		w.t.Errorf("%d pods and %d claims, want 0 and %d", len(pods.Items), len(volumes.Items), claims)
	}
}

func TestHibernateAndWake(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	w.hibernate("demo", true)
	c := w.until(r, "demo", "asleep", asleep)
	w.wantAsleep(3)
	got := []any{
		c.Status.Ready, c.Status.ReadyReplicas, c.Status.Replicas, c.Status.Leader, c.Status.ClusterID,
		message(t, c, v1alpha1.ConditionAvailable), hasReason(v1alpha1.ConditionAvailable, v1alpha1.ReasonHibernated)(c),
		isTrue(v1alpha1.ConditionDegraded)(c), isTrue(v1alpha1.ConditionMembersHealthy)(c), isTrue(v1alpha1.ConditionBootstrapComplete)(c),
	}
	want := []any{
		"0/3", int32(0), int32(3), "", before.Status.ClusterID,
		"spec.hibernated is set: nothing is served until it is unset", true,
		false, true, true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	w.wantNoWrites("demo")

	w.hibernate("demo", false)
	c = w.until(r, "demo", "awake", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
	if diff := cmp.Diff(slots(before), slots(c)); diff != "" || c.Status.ClusterID != before.Status.ClusterID {
		t.Errorf("the group is %s, it was %s; slots (-before +after):\n%s", c.Status.ClusterID, before.Status.ClusterID, diff)
	}
	w.wantObjects(c, 3)
	for reason, n := range map[string]int{v1alpha1.ReasonMembersStopped: 1, v1alpha1.ReasonMembersStarted: 1, v1alpha1.ReasonPodRestarted: 0, v1alpha1.ReasonUnrecoverableMember: 0} {
		if got := w.eventsOf(reason); len(got) != n {
			t.Errorf("Events %s: %v, want %d", reason, got, n)
		}
	}
}

func slots(c *v1alpha1.RaftCluster) map[int64]string {
	all := map[int64]string{}
	for _, m := range c.Status.Members {
		all[m.ID] = m.Incarnation
	}
	return all
}

// wantNoWrites checks that some passes write nothing.
func (w *world) wantNoWrites(name string) {
	w.t.Helper()
	n := &writes{}
	r := w.reconciler(n.wrap(w.c))
	for range 3 {
		if _, err := w.pass(r, name); err != nil {
			w.t.Fatal(err)
		}
	}
	if n.done != 0 {
		w.t.Errorf("%d writes at rest: %v", n.done, n.log)
	}
}

// A template that changes while nobody runs is there when they wake: no roll-out follows.
func TestTemplateChangedInHibernation(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.hibernate("demo", true)
	w.until(r, "demo", "asleep", asleep)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	w.until(r, "demo", "asleep", func(c *v1alpha1.RaftCluster) bool { return c.Status.ObservedGeneration == c.Generation })
	w.wantAsleep(3)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Hibernated, s.Raft.SnapshotEntries = false, 5000 }) // and with the waking itself
	c := w.until(r, "demo", "awake", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
	if c.Status.Version != "node:2" || w.restartsSeen() != 0 {
		t.Errorf("version %s after %d restarts, want node:2 after none", c.Status.Version, w.restartsSeen())
	}
}

// A roll-out that was under way goes with the pods, and a counted restart is forgotten
// with the pod that it was counted for.
func TestHibernateInTheMiddleOfARollout(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	w.until(r, "demo", "one restarted", func(*v1alpha1.RaftCluster) bool { return w.restartsSeen() == 1 })
	w.hibernate("demo", true)
	w.until(r, "demo", "asleep", asleep)
	w.wantAsleep(3)
	w.hibernate("demo", false)
	c := w.until(r, "demo", "awake", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
	if c.Status.ClusterID != before.Status.ClusterID || w.restartsSeen() != 1 {
		t.Errorf("group %s after %d restarts, want %s after 1", c.Status.ClusterID, w.restartsSeen(), before.Status.ClusterID)
	}
}

// A founding that was interrupted is finished after waking; nobody is founded twice.
func TestHibernateInTheMiddleOfTheFounding(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "one founded", func(*v1alpha1.RaftCluster) bool { return len(w.eventsOf(v1alpha1.ReasonMemberFounded)) == 1 })
	w.hibernate("demo", true)
	w.until(r, "demo", "asleep", asleep)
	w.hibernate("demo", false)
	c := w.until(r, "demo", "stable", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
	if c.Status.ClusterID != before.Status.ClusterID || len(w.eventsOf(v1alpha1.ReasonMemberFounded)) != 3 {
		t.Errorf("group %s, founded: %v", c.Status.ClusterID, w.eventsOf(v1alpha1.ReasonMemberFounded))
	}
}

// A RaftCluster that is hibernated from its first day has no StatefulSet until it wakes.
func TestHibernatedFromTheBeginning(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Hibernated = true })
	r := w.reconciler(w.c)
	w.until(r, "demo", "asleep", asleep)
	w.wantAsleep(0)
	w.hibernate("demo", false)
	w.until(r, "demo", "stable", stable)
}

// Paused wins: what hibernates or wakes at that moment stays as it is.
func TestPausedWinsOverHibernated(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused, s.Hibernated = true, true })
	c := w.until(r, "demo", "paused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonPaused))
	if !isTrue(v1alpha1.ConditionAvailable)(c) || c.Status.Ready != "3/3" {
		t.Errorf("the members of a paused cluster serve: %+v", c.Status)
	}
	w.wantNoWrites("demo")
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused = false })
	w.until(r, "demo", "asleep", asleep)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused, s.Hibernated = true, false })
	w.until(r, "demo", "paused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonPaused))
	w.wantAsleep(3)
	w.wantNoWrites("demo")
}

// An operator whose cache says that a woken cluster hibernates stops nobody.
func TestStaleWishToHibernateStopsNobody(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Hibernated = true })
	l := &lagging{}
	cache := l.wrap(w.c)
	r := w.reconciler(cache)
	w.until(r, "demo", "asleep", asleep)
	w.hibernate("demo", false)
	w.until(r, "demo", "stable", stable)
	uids := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
	l.only, l.by = "*v1alpha1.RaftCluster", 1
	var old v1alpha1.RaftCluster
	w.hibernate("demo", true)
	w.must(cache.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"}, &old))
	w.hibernate("demo", false)
	if _, err := r.Reconcile(w.ctx, request(w.ns, "demo")); err != nil {
		t.Fatal(err)
	}
	if got := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0"); !cmp.Equal(got, uids) {
		t.Error("pods were stopped")
	}
	var sets appsv1.StatefulSetList
	w.must(w.c.List(w.ctx, &sets, client.InNamespace(w.ns)))
	for _, s := range sets.Items {
		if *s.Spec.Replicas != 1 {
			t.Errorf("StatefulSet %s has %d replicas", s.Name, *s.Spec.Replicas)
		}
	}
}
