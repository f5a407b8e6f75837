//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/quorate/quorate/api/v1alpha1"
)

// A change of resources reaches the members one at a time, and writes go on.
func TestRollingChange(t *testing.T) {
	c := newCluster(namespace(t), "roll")
	apply(t, c)
	a := begin(t, c, "roll-out of resources")
	before := pods(t, c)
	changeResources(t, c)
	awaitRolledOut(t, c, before)
	a.end(smooth)
	for id, p := range pods(t, c) {
		if got := p.Spec.Containers[0].Resources.Requests.Cpu().String(); got != "11m" {
			t.Errorf("member %s asks for %s of CPU, want 11m", id, got)
		}
	}
}

// The leader dies and the operator dies while a change of Raft's timing reaches the members.
func TestRollingChangeWithFaults(t *testing.T) {
	c := newCluster(namespace(t), "fault")
	apply(t, c)
	a := begin(t, c, "roll-out of Raft's timing")
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Raft.SnapshotEntries = 50000 })
	awaitReplaced(t, c, before, 1)
	a.killLeader(c)
	awaitReplaced(t, c, before, 2)
	a.killOperator()
	awaitRolledOut(t, c, before)
	a.end(0)
	for id, p := range pods(t, c) {
		if !strings.Contains(strings.Join(p.Spec.Containers[0].Args, " "), "--snapshot-entries=50000") {
			t.Errorf("member %s has the arguments %q, want the new value", id, p.Spec.Containers[0].Args)
		}
	}
}

// A node's power is cut while its member gets the changed pod: the roll-out waits for it,
// and goes on when the node is back.
func TestRollingChangeWithPowerCut(t *testing.T) {
	needDevcluster(t)
	c := newCluster(namespace(t), "power")
	apply(t, c)
	a := begin(t, c, "roll-out of resources")
	before := pods(t, c)
	changeResources(t, c)
	node := awaitAway(t, c, before)
	a.cutPower(node)
	awaitCondition(t, c, v1alpha1.ConditionDegraded, metav1.ConditionTrue, "", 120*time.Second)
	a.load.awaitWrites(t, 1000, 120*time.Second)
	powerOn(t, node)
	awaitRolledOut(t, c, before)
	a.end(0)
}

// awaitAway waits until a member is being given another pod on a node that may lose its
// power, not the API server's, and gives the node.
func awaitAway(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod) (node string) {
	t.Helper()
	await(t, 120*time.Second, func(context.Context) (string, error) {
		now := pods(t, c)
		for id, was := range before {
			p, there := now[id]
			if node = was.Spec.NodeName; node != apiNode && (!there || !podReady(&p)) {
				return "", nil
			}
		}
		return "no member is away", nil
	})
	return node
}

// An image that does not start stops the roll-out after one member; setting the old one
// back ends it. Two members serve all the time.
func TestBrokenImage(t *testing.T) {
	c := newCluster(namespace(t), "broken")
	apply(t, c)
	a := begin(t, c, "roll-out of an image that is not there, and back")
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) {
		c.Spec.Image, c.Spec.ImagePullPolicy = "ghcr.io/quorate/none:v0", corev1.PullNever
	})
	stuck := awaitCondition(t, c, v1alpha1.ConditionProgressing, metav1.ConditionFalse, v1alpha1.ReasonRolloutStuck, 60*time.Second)
	t.Logf("Progressing=False: %s", stuck.Message)
	if !strings.Contains(stuck.Message, "ErrImageNeverPull") {
		t.Errorf("the condition says %q, want the kubelet's reason in it", stuck.Message)
	}
	if n := replaced(t, c, before); n != 1 {
		t.Errorf("%d members have the broken image, want 1", n)
	}
	a.load.awaitWrites(t, 300, 60*time.Second)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Image, c.Spec.ImagePullPolicy = "", "" })
	awaitStable(t, c, 120*time.Second)
	a.end(smooth)
	if n := replaced(t, c, before); n != 1 {
		t.Errorf("%d pods are others than before, want only the one that had the broken image", n)
	}
}

// Another version of the node reaches the members one at a time.
func TestUpgrade(t *testing.T) {
	needDevcluster(t)
	image := loadNextVersion(t)
	c := newCluster(namespace(t), "up")
	apply(t, c)
	a := begin(t, c, "upgrade to another version")
	before := pods(t, c)
	change(t, c, func(c *v1alpha1.RaftCluster) { c.Spec.Image = image })
	awaitRolledOut(t, c, before)
	a.end(smooth)
	_, version, _ := strings.Cut(image, ":")
	await(t, 30*time.Second, func(ctx context.Context) (string, error) {
		err := refresh(ctx, c)
		if c.Status.Version != version {
			return fmt.Sprintf("status.version is %s, want %s", c.Status.Version, version), err
		}
		return "", err
	})
}

// loadNextVersion builds the node as another version and puts its image onto the nodes.
func loadNextVersion(t *testing.T) (image string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	must(t, err)
	version := os.Getenv("VERSION") + "-next"
	image = os.Getenv("NODE_REPOSITORY") + ":" + version
	binary, archive := filepath.Join(t.TempDir(), "node"), filepath.Join(t.TempDir(), "node.tar")
	for _, args := range [][]string{
		{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X github.com/quorate/quorate/node/server.Version=" + version, "-o", binary, "./node"},
		{filepath.Join(root, "dist", "bin", "images"), "-out", archive, "-name", image, "-entrypoint", "/quorate-node", binary + "=/quorate-node"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	devcluster(t, "load", archive)
	return image
}

func changeResources(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	change(t, c, func(c *v1alpha1.RaftCluster) {
		c.Spec.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity("11m")}
	})
}

// awaitRolledOut waits until every member has another pod than before and all is well.
func awaitRolledOut(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod) {
	t.Helper()
	awaitReplaced(t, c, before, len(before))
	awaitStable(t, c, 120*time.Second)
}

// awaitStable waits until everything is as wanted and every member ready.
func awaitStable(t *testing.T, c *v1alpha1.RaftCluster, bound time.Duration) {
	t.Helper()
	await(t, bound, func(ctx context.Context) (string, error) {
		if err := refresh(ctx, c); err != nil {
			return "", err
		}
		p := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionProgressing)
		switch {
		case c.Status.ObservedGeneration != c.Generation:
			return "the status is of an older generation", nil
		case p == nil || p.Status != metav1.ConditionFalse || p.Reason != v1alpha1.ReasonStable:
			return fmt.Sprintf("Progressing is %+v, want False %s", p, v1alpha1.ReasonStable), nil
		case c.Status.ReadyReplicas != c.Spec.Replicas:
			return fmt.Sprintf("%d members are ready, want %d", c.Status.ReadyReplicas, c.Spec.Replicas), nil
		}
		return "", nil
	})
}

func awaitReplaced(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod, n int) {
	t.Helper()
	await(t, 120*time.Second, func(context.Context) (string, error) {
		if got := replaced(t, c, before); got < n {
			return fmt.Sprintf("%d pods are replaced, want %d; %s", got, n, progressOf(t, c)), nil
		}
		return "", nil
	})
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

// wantNoRestart complains about members whose pod or container is another one than before.
func wantNoRestart(t *testing.T, c *v1alpha1.RaftCluster, before map[string]corev1.Pod) {
	t.Helper()
	if n := replaced(t, c, before); n > 0 {
		t.Errorf("%d pods were restarted", n)
	}
	for id, p := range pods(t, c) {
		if was := before[id]; startsOf(&p) != startsOf(&was) {
			t.Errorf("the container of %s was restarted", p.Name)
		}
	}
}

// progressOf tells what the operator says that it does.
func progressOf(t *testing.T, c *v1alpha1.RaftCluster) string {
	t.Helper()
	must(t, refresh(t.Context(), c))
	p := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionProgressing)
	if p == nil {
		return "no condition Progressing"
	}
	return fmt.Sprintf("Progressing=%s %s: %s", p.Status, p.Reason, p.Message)
}
