package raftcluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/objects"
)

func TestCreateFoundsAndReports(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	c := w.until(w.reconciler(w.c), "demo", "stable", stable)

	s := c.Status
	got := []any{s.Ready, s.Replicas, s.ReadyReplicas, s.Leader, s.Term > 0, s.Version, s.Selector, s.Bootstrapped, len(s.Members)}
	want := []any{"3/3", int32(3), int32(3), "demo-1", true, "node:1", "quorate.dev/cluster=demo", true, 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	for _, kind := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionMembersHealthy, v1alpha1.ConditionBootstrapComplete} {
		if !isTrue(kind)(c) {
			t.Errorf("%s is not True: %s", kind, message(t, c, kind))
		}
	}
	for _, kind := range []string{v1alpha1.ConditionDegraded, v1alpha1.ConditionDataLossPossible} {
		if isTrue(kind)(c) {
			t.Errorf("%s is True: %s", kind, message(t, c, kind))
		}
	}
	for _, m := range s.Members {
		if m.Incarnation == "" || !m.Ready || m.Role == "" {
			t.Errorf("member %+v is not complete", m)
		}
	}
	w.wantObjects(c, 3)
}

// wantObjects checks that a cluster has what it needs and nothing twice, all of it owned.
func (w *world) wantObjects(c *v1alpha1.RaftCluster, members int) {
	w.t.Helper()
	for list, n := range map[client.ObjectList]int{
		&appsv1.StatefulSetList{}: members, &corev1.ServiceList{}: 2, &corev1.ServiceAccountList{}: 1,
		&policyv1.PodDisruptionBudgetList{}: 1, &networkingv1.NetworkPolicyList{}: 1,
	} {
		w.must(w.c.List(w.ctx, list, client.InNamespace(w.ns), client.MatchingLabels{v1alpha1.LabelCluster: c.Name}))
		objs := itemsOf(w.t, list)
		if len(objs) != n {
			w.t.Errorf("%T has %d objects, want %d", list, len(objs), n)
		}
		for _, o := range objs {
			if !metav1.IsControlledBy(o, c) {
				w.t.Errorf("%T %s is not owned by the RaftCluster", o, o.GetName())
			}
		}
	}
}

// A cluster at rest costs reads only.
func TestNothingIsWrittenWhenNothingChanges(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	w.until(w.reconciler(w.c), "demo", "stable", stable)

	n := &writes{}
	r := w.reconciler(n.wrap(w.c))
	for range 5 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if n.done != 0 {
		w.logDifferences(r)
		t.Errorf("%d writes on a cluster at rest: %v", n.done, n.log)
	}
}

// logDifferences tells why objects are applied again.
func (w *world) logDifferences(r *Reconciler) {
	o, err := r.observe(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"})
	w.must(err)
	for i := range o.Members {
		path, err := objects.Difference(o.Members[i].Set, objects.Member(o.Cluster, r.Options, o.Members[i].ID, o.Members[i].Set))
		w.t.Logf("%s: %s %v", o.Members[i].Name, path, err)
	}
}

// What somebody else changed is put right without a restart.
func TestDriftIsPutRight(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "stable", stable)

	svc := &corev1.Service{}
	key := client.ObjectKey{Namespace: w.ns, Name: "demo-peers"}
	w.must(w.c.Get(w.ctx, key, svc))
	svc.Spec.PublishNotReadyAddresses = false
	w.must(w.c.Update(w.ctx, svc))
	set := &appsv1.StatefulSet{}
	setKey := client.ObjectKey{Namespace: w.ns, Name: "demo-2"}
	w.must(w.c.Get(w.ctx, setKey, set))
	none := int32(0)
	set.Spec.Replicas = &none
	w.must(w.c.Update(w.ctx, set))
	if _, err := w.pass(r, "demo"); err != nil {
		t.Fatal(err)
	}
	w.must(w.c.Get(w.ctx, key, svc))
	w.must(w.c.Get(w.ctx, setKey, set))
	if !svc.Spec.PublishNotReadyAddresses || *set.Spec.Replicas != 1 {
		t.Errorf("publishNotReadyAddresses %t, replicas %d; want true, 1", svc.Spec.PublishNotReadyAddresses, *set.Spec.Replicas)
	}
	w.wantObjects(c, 3)
	if got := w.eventsOf(v1alpha1.ReasonPodRestarted); got != nil {
		t.Errorf("pods were restarted: %v", got)
	}
}

func TestPausedDoesNothingButReports(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Paused = true })
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "paused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonPaused))
	if c.Status.ClusterID != "" {
		t.Errorf("a paused cluster got the ID %s", c.Status.ClusterID)
	}
	w.wantNothing()
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused = false })
	w.until(r, "demo", "stable", stable)
}

func (w *world) wantNothing() {
	w.t.Helper()
	var sets appsv1.StatefulSetList
	w.must(w.c.List(w.ctx, &sets, client.InNamespace(w.ns)))
	var services corev1.ServiceList
	w.must(w.c.List(w.ctx, &services, client.InNamespace(w.ns), client.HasLabels{v1alpha1.LabelCluster}))
	if len(sets.Items)+len(services.Items) != 0 {
		w.t.Errorf("there are %d StatefulSets and %d Services, want none", len(sets.Items), len(services.Items))
	}
}

// An object of a needed name that belongs to somebody else stays as it is.
func TestObjectsOfOthersAreNotTakenOver(t *testing.T) {
	w := newWorld(t)
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: w.ns}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	w.must(w.c.Create(w.ctx, theirs))
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonObjectConflict))
	const want = `Service "demo" exists and does not belong to this RaftCluster; rename or delete one of the two`
	if got := message(t, c, v1alpha1.ConditionProgressing); got != want {
		t.Errorf("message is %q, want %q", got, want)
	}
	version := theirs.ResourceVersion
	w.must(w.c.Get(w.ctx, client.ObjectKeyFromObject(theirs), theirs))
	if theirs.ResourceVersion != version {
		t.Error("the object was changed")
	}
	w.must(w.c.Delete(w.ctx, theirs))
	w.until(r, "demo", "stable", stable)
}
