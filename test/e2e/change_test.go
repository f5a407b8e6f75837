//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A change of resources reaches the members one at a time, under load, also when the
// operator itself is killed in the middle.
func TestRollingChange(t *testing.T) {
	c := newCluster(namespace(t), "roll")
	apply(t, c)
	l := startLoad(t, forwardAll(t, c), 4)
	l.awaitWrites(t, 100, 30*time.Second)
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) {
		c.Spec.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity("11m")}
	})
	most := watchAway(t, c, func() bool { return replaced(t, c, before) >= 1 })
	killOperator(t)
	most = max(most, watchAway(t, c, func() bool { return replaced(t, c, before) == 3 }))
	awaitAllReady(t, c, 60*time.Second)
	awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonStable, 60*time.Second)
	if most > 1 {
		t.Errorf("%d members were away at one time, want at most 1", most)
	}
	for id, p := range pods(t, c) {
		if got := p.Spec.Containers[0].Resources.Requests.Cpu().String(); got != "11m" {
			t.Errorf("member %s asks for %s of CPU, want 11m", id, got)
		}
	}
	l.awaitWrites(t, 50, 30*time.Second)
	l.finish(t)
}

// watchAway polls until done and gives how many members were away at most: without a
// pod that runs and is not being deleted.
func watchAway(t *testing.T, c *v1alpha1.RaftCluster, done func() bool) (most int) {
	t.Helper()
	await(t, 120*time.Second, func(context.Context) (string, error) {
		away := 3
		for _, p := range pods(t, c) {
			if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
				away--
			}
		}
		most = max(most, away)
		if !done() {
			return "not every pod is replaced", nil
		}
		return "", nil
	})
	return most
}

// replaced counts the members whose pod is another one than before.
func replaced(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod) (n int) {
	for id, p := range pods(t, c) {
		if p.UID != before[id].UID {
			n++
		}
	}
	return n
}

func killOperator(t *testing.T) {
	t.Helper()
	must(t, kube.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(systemNamespace),
		client.MatchingLabels{"app.kubernetes.io/name": "quorate"}, client.GracePeriodSeconds(0)))
}

// change updates the cluster's spec, again when somebody else was faster.
func change(t *testing.T, c *v1alpha1.RaftCluster, f func(*v1alpha1.RaftCluster)) {
	t.Helper()
	await(t, 10*time.Second, func(ctx context.Context) (string, error) {
		if err := kube.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return "", err
		}
		f(c)
		return "", kube.Update(ctx, c)
	})
}

// A change of replicas is refused with a reason, and nothing is half done.
func TestScaleIsRefused(t *testing.T) {
	c := newCluster(namespace(t), "scale")
	apply(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 5 })
	condition := awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonScaleNotSupported, 30*time.Second)
	t.Logf("Progressing=False: %s", condition.Message)
	awaitEvent(t, c, v1alpha1.ReasonScaleNotSupported, "5")
	var sets appsv1.StatefulSetList
	must(t, kube.List(t.Context(), &sets, client.InNamespace(c.Namespace)))
	if len(sets.Items) != 3 || c.Status.Replicas != 3 {
		t.Errorf("there are %d StatefulSets and status.replicas is %d, want 3", len(sets.Items), c.Status.Replicas)
	}
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 3 })
	awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonStable, 30*time.Second)
}

// Wrong wishes are refused by the API server, with what is wrong.
func TestBadWishes(t *testing.T) {
	c := newCluster(namespace(t), "bad")
	apply(t, c)
	for _, w := range []struct {
		name, patch, want string
	}{
		{"smaller storage", `{"spec":{"storage":{"size":"512Mi"}}}`, "storage.size"},
		{"half a member", `{"spec":{"replicas":2.5}}`, "replicas"},
		{"no member", `{"spec":{"replicas":0}}`, "replicas"},
		{"too many members", `{"spec":{"replicas":11}}`, "replicas"},
		{"another storage class", `{"spec":{"storage":{"storageClassName":"other"}}}`, "storageClassName"},
		{"slow heartbeats", `{"spec":{"raft":{"heartbeatInterval":"2s"}}}`, "heartbeatInterval"},
		{"unknown policy", `{"spec":{"storage":{"whenDeleted":"Shred"}}}`, "whenDeleted"},
	} {
		t.Run(w.name, func(t *testing.T) {
			err := kube.Patch(t.Context(), c.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(w.patch)))
			if err == nil {
				t.Fatalf("%s was taken", w.patch)
			}
			if got := err.Error(); !strings.Contains(got, w.want) {
				t.Errorf("the refusal %q does not name %s", got, w.want)
			}
			t.Log(err)
		})
	}
}
