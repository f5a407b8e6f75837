package raftcluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// settledWith: so many members, all well, and nothing left to do.
func settledWith(n int32) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool {
		return stable(c) && c.Status.Replicas == n && c.Status.ReadyReplicas == n && c.Status.Change == nil
	}
}

// wantMembers checks that status, the group, the StatefulSets, the claims and the certificates agree
// on who is a member.
func (w *world) wantMembers(c *v1alpha1.RaftCluster, ids ...int64) {
	w.t.Helper()
	var inStatus, inGroup, inClaims, inKeys []int64
	for _, m := range c.Status.Members {
		inStatus = append(inStatus, m.ID)
	}
	for _, id := range w.memberIDs(c.Status.ClusterID) {
		inGroup = append(inGroup, int64(id)) //nolint:gosec // small
	}
	var claims corev1.PersistentVolumeClaimList
	w.must(w.c.List(w.ctx, &claims, client.InNamespace(w.ns)))
	for id := int64(1); id <= c.Status.HighestMemberID; id++ {
		if slices.ContainsFunc(claims.Items, func(x corev1.PersistentVolumeClaim) bool {
			return x.Name == c.ClaimName(id) && x.DeletionTimestamp == nil
		}) {
			inClaims = append(inClaims, id)
		}
		if w.secret(c.MemberTLSName(id)) != nil {
			inKeys = append(inKeys, id)
		}
	}
	for what, got := range map[string][]int64{"status": inStatus, "the group": inGroup, "claims": inClaims, "certificates": inKeys} {
		if diff := cmp.Diff(ids, got); diff != "" {
			w.t.Errorf("members by %s (-want +got):\n%s", what, diff)
		}
	}
	w.wantObjects(c, len(ids))
}

func TestScaleUpAndDown(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	founders := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")

	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 5 })
	c := w.until(r, "demo", "five", settledWith(5))
	w.wantMembers(c, 1, 2, 3, 4, 5)
	if diff := cmp.Diff([]string{"add 4", "promote 4", "add 5", "promote 5"}, w.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0"); !slices.Equal(got, founders) {
		t.Error("a pod was restarted")
	}
	for name, founds := range map[string]bool{"demo-1-0": true, "demo-5-0": false} {
		args := strings.Join(w.pod(name).Spec.Containers[0].Args, " ")
		if strings.Contains(args, "--initial-members=1=") != founds || !strings.Contains(args, " --join") {
			t.Errorf("arguments of %s: %s", name, args)
		}
	}

	w.changes = nil
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	c = w.until(r, "demo", "three", settledWith(3))
	w.wantMembers(c, 1, 2, 3)
	if diff := cmp.Diff([]string{"remove 5", "remove 4"}, w.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 1 })
	c = w.until(r, "demo", "one", settledWith(1))
	w.wantMembers(c, 1)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	c = w.until(r, "demo", "three again", settledWith(3))
	w.wantMembers(c, 1, 6, 7)
	if got := w.eventsOf(v1alpha1.ReasonMemberCreated); len(got) != 7 {
		t.Errorf("created %d times, want 7: %v", len(got), got)
	}
	if got := w.restartsSeen(); got != 0 {
		t.Errorf("%d pods were restarted", got)
	}
}

// The scale subresource is what kubectl scale uses.
func TestScaleSubresource(t *testing.T) {
	w := newWorld(t)
	c := w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 1 })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	scale := &autoscalingv1.Scale{}
	w.must(w.c.SubResource("scale").Get(w.ctx, c, scale))
	if scale.Status.Replicas != 1 || scale.Status.Selector != "quorate.dev/cluster=demo" {
		t.Errorf("scale tells %+v", scale.Status)
	}
	scale.Spec.Replicas = 2
	w.must(w.c.SubResource("scale").Update(w.ctx, c, client.WithSubResourceBody(scale)))
	w.until(r, "demo", "two", settledWith(2))
	w.must(w.c.SubResource("scale").Get(w.ctx, c, scale))
	if scale.Status.Replicas != 2 {
		t.Errorf("scale tells %+v", scale.Status)
	}
	if got := w.eventsOf(v1alpha1.ReasonEvenReplicas); len(got) != 1 || !strings.Contains(got[0], "2 members tolerate no more failures than 1") {
		t.Errorf("Events: %v, want one warning", got)
	}
	budget := &policyv1.PodDisruptionBudget{}
	w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"}, budget))
	if got := budget.Spec.MinAvailable.IntVal; got != 2 {
		t.Errorf("minAvailable is %d, want 2", got)
	}
}

// The leader leaves a group of two: it hands over first.
func TestScaleDownOfTheLeader(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 2 })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable) // demo-1 leads
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 1 })
	w.until(r, "demo", "begun", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change != nil })
	w.mu.Lock()
	w.leader, w.term = "demo-2-0", w.term+1
	w.mu.Unlock()
	c := w.until(r, "demo", "one", settledWith(1))
	w.wantMembers(c, 1)
	if got := w.eventsOf(v1alpha1.ReasonLeaderTransferred); len(got) != 1 || !strings.Contains(got[0], "demo-2 was asked to hand over, because it leaves the group") {
		t.Errorf("Events: %v", got)
	}
}

// The wish is taken back while a member joins that never catches up.
func TestScaleUpIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.feed = 1 << 30
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
	w.until(r, "demo", "learning", func(c *v1alpha1.RaftCluster) bool {
		return c.Status.Change != nil && c.Status.Change.Step == v1alpha1.StepPromoting
	})
	w.advance(time.Hour)
	c := w.until(r, "demo", "stuck", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonMembershipStuck))
	if !isTrue(v1alpha1.ConditionAvailable)(c) || isTrue(v1alpha1.ConditionDegraded)(c) || c.Status.Replicas != 4 {
		t.Errorf("three voters serve, a learner is no loss: %+v", c.Status)
	}
	if got := w.eventsOf(v1alpha1.ReasonMembershipStuck); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}
	if got := w.changesShown(); got != 1 {
		t.Errorf("the metric shows %d changes under way, want 1", got)
	}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	c = w.until(r, "demo", "taken back", settledWith(3))
	w.wantMembers(c, 1, 2, 3)
	if diff := cmp.Diff([]string{"add 4", "remove 4"}, w.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got := w.eventsOf(v1alpha1.ReasonChangeAbandoned); len(got) != 1 {
		t.Errorf("Events: %v, want one", got)
	}
	if got := w.changesShown(); got != 0 {
		t.Errorf("the metric shows %d changes under way, want none", got)
	}
}

// changesShown counts what the metric of changes shows of this world.
func (w *world) changesShown() int {
	w.t.Helper()
	families, err := metrics.Registry.Gather()
	w.must(err)
	n := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "quorate_operator_membership_change" && strings.Contains(m.String(), w.ns) {
				n += int(m.GetGauge().GetValue())
			}
		}
	}
	return n
}

// A leader that refuses for a while is asked again, and nothing is counted as an error.
func TestRefusedChangesAreAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 1 })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.refuse = 4
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 2 })
	w.until(r, "demo", "refused", func(c *v1alpha1.RaftCluster) bool {
		return strings.Contains(message(t, c, v1alpha1.ConditionProgressing), "the leader refuses for now (ChangeInFlight): by the model")
	})
	c := w.until(r, "demo", "two", settledWith(2))
	w.wantMembers(c, 1, 2)
}

// Volumes of members that were removed may stay, and are never taken for members again.
func TestRemovedVolumesAreRetained(t *testing.T) {
	w := newWorld(t)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.WhenRemoved = v1alpha1.RetainRemoved })
	r := w.reconciler(w.c)
	old := w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 1 })
	w.until(r, "demo", "one", settledWith(1))
	for name, want := range map[string]string{"data-demo-1-0": "", "data-demo-2-0": "true", "data-demo-3-0": "true"} {
		claim := &corev1.PersistentVolumeClaim{}
		w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: name}, claim))
		if got := claim.Annotations[v1alpha1.AnnotationRemoved]; got != want {
			t.Errorf("claim %s is marked as removed: %q, want %q", name, got, want)
		}
	}
	w.deleteCluster("demo")
	w.create("demo", nil)
	c := w.until(r, "demo", "three", settledWith(3))
	if c.Status.ClusterID != old.Status.ClusterID || c.Status.FoundingReplicas != 3 || c.Status.HighestMemberID != 5 {
		t.Errorf("status %+v; want the same group, of 3 founders, with the IDs 1, 4 and 5", c.Status)
	}
}

// The RaftCluster is deleted while a member joins, and made anew: the group says how far it was.
func TestTakenUpInTheMiddleOfAChange(t *testing.T) {
	t.Parallel()
	for wish, members := range map[int32][]int64{3: {1, 2, 3}, 4: {1, 2, 3, 4}} {
		t.Run(fmt.Sprintf("wish %d", wish), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			w.feed = 1 << 30
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
			old := w.until(r, "demo", "learning", func(c *v1alpha1.RaftCluster) bool {
				return c.Status.Change != nil && c.Status.Change.Step == v1alpha1.StepPromoting
			})
			w.deleteCluster("demo")
			w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = wish })
			w.feed = 2
			c := w.until(r, "demo", "settled", settledWith(wish))
			w.wantMembers(c, members...)
			if c.Status.ClusterID != old.Status.ClusterID {
				t.Error("it is another group")
			}
		})
	}
}

// The RaftCluster is deleted without its objects while a member leaves, and made anew: it knows
// nothing of that member, whose claim is marked already, and what is left of it goes all the same.
func TestStatusIsLostWhileAMemberLeaves(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 2 })
	w.until(r, "demo", "marked", func(*v1alpha1.RaftCluster) bool {
		claim := &corev1.PersistentVolumeClaim{}
		w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "data-demo-3-0"}, claim))
		return claim.Annotations[v1alpha1.AnnotationRemoved] != ""
	})
	w.deleteOrphaning("demo")
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 2 })
	w.wantMembers(w.until(r, "demo", "two", settledWith(2)), 1, 2)
}

// A request to take a member in that was given up takes effect late: the learner goes again.
func TestLateLearnerIsTakenOut(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	c := w.until(r, "demo", "stable", stable)
	w.refuse = 1 << 30
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
	w.until(r, "demo", "asking", func(c *v1alpha1.RaftCluster) bool {
		return strings.Contains(message(t, c, v1alpha1.ConditionProgressing), "the leader refuses for now")
	})
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	w.until(r, "demo", "given up", settledWith(3))
	w.refuse = 0
	w.mu.Lock()
	g := w.groups[c.Status.ClusterID]
	g.Members = append(g.Members, nodeapi.MemberInfo{ID: 4, Name: "demo-4", Suffrage: nodeapi.SuffrageLearner})
	g.Highest = 4
	w.mu.Unlock()
	w.until(r, "demo", "taken out", func(*v1alpha1.RaftCluster) bool { return slices.Contains(w.changes, "remove 4") })
	c = w.until(r, "demo", "stable", settledWith(3))
	w.wantMembers(c, 1, 2, 3)
}
