//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// With hosts: Required each member has a host of its own. One more finds none: it waits, that
// is told with the scheduler's words, the others serve on, and it goes when it is not wanted
// any more.
func TestRequiredSpread(t *testing.T) {
	needHosts(t, 3)
	c := newCluster(namespace(t), "spread")
	c.Spec.Topology.Hosts = v1alpha1.SpreadRequired
	apply(t, c)
	awaitStable(t, c, 60*time.Second)
	wantApart(t, c)
	a := begin(t, c, "scale 3 -> 4 without a host for it, and back")
	before := pods(t, c)
	scale(t, c, 4)
	awaitProgress(t, c, "Progressing=True "+v1alpha1.ReasonScaling, "member spread-4 joins", "Unschedulable", "topology spread constraints")
	a.load.awaitWrites(t, 300, 60*time.Second)
	if host := nodeOf(t, c, 4); host != "" {
		t.Errorf("member 4 is on %s, want it to wait", host)
	}
	awaitCondition(t, c, v1alpha1.ConditionAvailable, metav1.ConditionTrue, "", 10*time.Second)
	scale(t, c, 3)
	awaitScaled(t, c, 3)
	a.end(smooth)
	wantApart(t, c)
	if n := replaced(t, c, before); n > 0 {
		t.Errorf("%d pods are others than before", n)
	}
}

// needHosts skips a test where another number of nodes take pods.
func needHosts(t *testing.T, n int) {
	t.Helper()
	var list corev1.NodeList
	must(t, kube.List(t.Context(), &list))
	hosts := 0
	for i := range list.Items {
		if open(&list.Items[i]) {
			hosts++
		}
	}
	if hosts != n {
		t.Skipf("%d nodes take pods: this test needs %d", hosts, n)
	}
}

// open tells whether a node takes pods that tolerate nothing.
func open(n *corev1.Node) bool {
	for _, taint := range n.Spec.Taints {
		if taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return false
		}
	}
	return !n.Spec.Unschedulable
}

// wantApart complains about members that share a host.
func wantApart(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	on := map[string]string{}
	for id, p := range pods(t, c) {
		if other, taken := on[p.Spec.NodeName]; taken {
			t.Errorf("the members %s and %s are both on %s", id, other, p.Spec.NodeName)
		}
		on[p.Spec.NodeName] = id
	}
}

// awaitProgress waits until what the operator says that it does has all of this in it.
func awaitProgress(t *testing.T, c *v1alpha1.RaftCluster, words ...string) {
	t.Helper()
	var said string
	await(t, 60*time.Second, func(context.Context) (string, error) {
		said = progressOf(t, c)
		for _, w := range words {
			if !strings.Contains(said, w) {
				return said + ", want " + w + " in it", nil
			}
		}
		return "", nil
	})
	t.Log(said)
}
