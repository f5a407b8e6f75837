package raftcluster

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// pretend makes the node of a pod tell what change says, until the test ends or it is mended.
func (w *world) pretend(pod string, change func(*nodeapi.Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lies[pod] = change
}

// A member that tells another group's ID, or another member's, is named and left alone, and
// nothing that it says counts.
func TestImpostor(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]func(*nodeapi.Status){
		"of another group":    func(s *nodeapi.Status) { s.ClusterID = "xyz" },
		"with another's ID":   func(s *nodeapi.Status) { s.MemberID = 1 },
		"that claims to lead": func(s *nodeapi.Status) { s.MemberID, s.Role, s.Term = 9, nodeapi.RoleLeader, 1_000_000 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			before := w.until(r, "demo", "stable", stable)
			pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
			w.pretend("demo-2-0", lie)
			c := w.until(r, "demo", "told", hasReason(v1alpha1.ConditionMembersHealthy, v1alpha1.ReasonUnrecoverableMember))
			if got := message(t, c, v1alpha1.ConditionMembersHealthy); !strings.HasPrefix(got, "member demo-2: IdentityMismatch: ") {
				t.Errorf("message: %s", got)
			}
			for range 10 {
				if _, err := w.pass(r, "demo"); err != nil {
					t.Fatal(err)
				}
				w.advance(time.Minute)
			}
			c = w.get("demo")
			if c.Status.Leader != before.Status.Leader || c.Status.Term != before.Status.Term || c.Status.Ready != "2/3" || !isTrue(v1alpha1.ConditionAvailable)(c) {
				t.Errorf("what an impostor tells counts: %+v", c.Status)
			}
			w.wantPods(pods, "demo-1-0", "demo-2-0", "demo-3-0")
			w.pretend("demo-2-0", nil)
			w.wantSameGroup(before, w.until(r, "demo", "stable", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" }))
		})
	}
}

// A cache that has the pod's former address asks whoever has it now: no fault of the member.
func TestFormerAddressIsNoImpostor(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	w.until(w.reconciler(w.c), "demo", "stable", stable)
	old := interceptor.NewClient(w.c, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			if pods, ok := list.(*corev1.PodList); ok {
				for i := range pods.Items {
					if pods.Items[i].Name == "demo-2-0" {
						pods.Items[i].Status.PodIP = "10.0.0.99"
					}
				}
			}
			return err
		},
	})
	w.pretend("demo-2-0", func(s *nodeapi.Status) { s.ClusterID = "xyz" })
	if _, err := w.reconciler(old).Reconcile(w.ctx, request(w.ns, "demo")); err != nil {
		t.Fatal(err)
	}
	if c := w.get("demo"); c.Status.Member(2).Fault != nil || len(w.eventsOf(v1alpha1.ReasonUnrecoverableMember)) != 0 {
		t.Errorf("a fault was told: %+v", c.Status.Member(2))
	}
}

// The clock of a member's host is ahead of the operator's, or behind: nothing depends on it.
func TestSkewedClockOfAMember(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			fault := *logCorrupt
			fault.At = w.clock().Add(skew)
			w.damage("demo-2-0", &fault)
			uid := w.podUID("demo-2-0")
			c := w.until(r, "demo", "told", hasReason(v1alpha1.ConditionMembersHealthy, v1alpha1.ReasonUnrecoverableMember))
			if since := c.Status.Member(2).Fault.Since; since.After(w.clock()) {
				t.Errorf("the fault is there since %s, which is in the future", since)
			}
			w.until(r, "demo", "restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-2-0") != uid })
			w.damage("demo-2-0", nil)
			w.until(r, "demo", "well", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
		})
	}
}
