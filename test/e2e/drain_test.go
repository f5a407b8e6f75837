//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// Two nodes are drained under load, the leader's first. The second drain is held up by the
// PodDisruptionBudget until the first member is back. Meanwhile the operator dies, wherever the
// drains have put it, after it has told that a member is away: it is the next one that tells
// the end.
func TestDrain(t *testing.T) {
	c := newCluster(namespace(t), "drain")
	apply(t, c)
	first := nodeOf(t, c, leaderOf(t, c))
	second := nodeOf(t, c, follower(t, c))
	if first == second {
		t.Skipf("two members are on %s: this test needs a node for each of three members", first)
	}
	a := begin(t, c, "two nodes drained, the leader's first")
	before := pods(t, c)
	for _, node := range []string{first, second} {
		t.Cleanup(func() { kubectl(context.Background(), "uncordon", node) }) //nolint:errcheck // it may be done already
	}
	if out, err := drain(t, first, "60s"); err != nil {
		t.Fatalf("the first drain: %v\n%s", err, out)
	}
	out, err := drain(t, second, "10s")
	if err == nil || !strings.Contains(out, "disruption budget") {
		t.Fatalf("the second drain ended with %v, want that the disruption budget holds it up:\n%s", err, out)
	}
	t.Logf("the second drain is held up: %s", lineWith(out, "disruption budget"))
	awaitCondition(t, c, v1alpha1.ConditionDegraded, metav1.ConditionTrue, "", 60*time.Second)
	a.killOperator()
	if out, err := kubectl(t.Context(), "uncordon", first); err != nil {
		t.Fatalf("uncordon: %v\n%s", err, out)
	}
	if out, err := drain(t, second, "120s"); err != nil {
		t.Fatalf("the second drain, with the first member back: %v\n%s", err, out)
	}
	if out, err := kubectl(t.Context(), "uncordon", second); err != nil {
		t.Fatalf("uncordon: %v\n%s", err, out)
	}
	awaitReplaced(t, c, before, 2)
	awaitStable(t, c, 120*time.Second)
	a.end(smooth)
}

func drain(t *testing.T, node, timeout string) (string, error) {
	t.Helper()
	return kubectl(t.Context(), "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout="+timeout)
}

func kubectl(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput()
	return string(out), err
}

func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
