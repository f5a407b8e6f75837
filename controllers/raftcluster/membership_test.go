package raftcluster

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// An action that was decided on an old picture changes no group and deletes nothing.
func TestMembershipIsConfirmedPastTheCache(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	o, err := r.observe(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"})
	w.must(err)
	m := o.Member(3)
	for _, a := range []plan.Action{
		{Kind: plan.AddMember, Member: 3, Incarnation: m.Latched.Incarnation},
		{Kind: plan.ChangeVoters, Remove: 3},
		{Kind: plan.DeleteSet, Member: 3, UID: m.Set.UID},
		{Kind: plan.DropPod, Member: 3, UID: m.Pod.UID},
		{Kind: plan.DeleteClaim, Member: 3, UID: o.Claim(m).UID},
		{Kind: plan.DeleteKeys, Member: 3, UID: o.Keys(m).GetUID()},
	} {
		w.must(r.changeMembership(w.ctx, o, &plan.Decision{Action: a}))
	}
	after, err := r.observe(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"})
	w.must(err)
	n := after.Member(3)
	if len(w.changes) != 0 || n.Set == nil || n.Pod == nil || n.Pod.UID != m.Pod.UID || n.Pod.DeletionTimestamp != nil || after.Claim(n) == nil || after.Keys(n) == nil {
		t.Errorf("changes %v; StatefulSet %v, pod %v, claim %v, certificate %v", w.changes, n.Set, n.Pod, after.Claim(n), after.Keys(n))
	}
}

// A member that has left since the picture was taken is not created again.
func TestMemberIsNotCreatedAfterItLeft(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "stable", stable).DeepCopy()
	c.Status.Members = append(c.Status.Members, v1alpha1.MemberStatus{ID: 4, Name: "demo-4"})
	w.must(r.createMember(w.ctx, &observe.Observed{Cluster: c}, &observe.Member{ID: 4, Name: "demo-4"}))
	var sets appsv1.StatefulSetList
	w.must(w.c.List(w.ctx, &sets, client.InNamespace(w.ns)))
	if len(sets.Items) != 3 {
		t.Errorf("there are %d StatefulSets, want 3", len(sets.Items))
	}
}

// A StatefulSet that had lost its label is found again, and nobody is told that it was made.
func TestLabelThatIsPutBackIsNoCreation(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	set := &appsv1.StatefulSet{}
	key := client.ObjectKey{Namespace: w.ns, Name: "demo-2"}
	w.must(w.c.Get(w.ctx, key, set))
	uid := set.UID
	delete(set.Labels, v1alpha1.LabelCluster)
	w.must(w.c.Update(w.ctx, set))
	w.until(r, "demo", "put back", func(c *v1alpha1.RaftCluster) bool {
		w.must(w.c.Get(w.ctx, key, set))
		return stable(c) && set.Labels[v1alpha1.LabelCluster] == "demo"
	})
	if set.UID != uid {
		t.Error("it was made anew")
	}
	if got := w.eventsOf(v1alpha1.ReasonMemberCreated); len(got) != 3 {
		t.Errorf("created %d times, want 3: %v", len(got), got)
	}
	if got := w.pod("demo-2-0"); got == nil || got.Status.Phase == corev1.PodFailed {
		t.Error("its pod is gone")
	}
}
