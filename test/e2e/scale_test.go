//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// Members join and leave by "kubectl scale", one at a time, and writes go on.
func TestScaleUpAndDown(t *testing.T) {
	c := newCluster(namespace(t), "scale")
	apply(t, c)
	a := begin(t, c, "scale 3 -> 5 -> 3")
	scale(t, c, 5)
	awaitScaled(t, c, 5)
	scale(t, c, 3)
	awaitScaled(t, c, 3)
	a.end(smooth)
	if c.Status.HighestMemberID != 5 {
		t.Errorf("the highest ID is %d, want 5: it is never given again", c.Status.HighestMemberID)
	}
}

// The leader and the operator die while members join.
func TestScaleUpWithFaults(t *testing.T) {
	c := newCluster(namespace(t), "up")
	apply(t, c)
	a := begin(t, c, "scale 3 -> 5")
	scale(t, c, 5)
	awaitStep(t, c, v1alpha1.StepAdding)
	a.killLeader(c)
	awaitMembers(t, c, 5)
	a.killOperator()
	awaitScaled(t, c, 5)
	a.end(0)
}

// The leader and the operator die while members leave.
func TestScaleDownWithFaults(t *testing.T) {
	c := newCluster(namespace(t), "down")
	c.Spec.Replicas = 5
	apply(t, c)
	a := begin(t, c, "scale 5 -> 3")
	scale(t, c, 3)
	awaitChange(t, c)
	a.killOperator()
	awaitMembers(t, c, 4)
	a.killLeader(c)
	awaitScaled(t, c, 3)
	a.end(0)
}

// scale does what a person does.
func scale(t *testing.T, c *v1alpha1.RaftCluster, n int32) {
	t.Helper()
	if out, err := kubectl(t.Context(), "scale", "raftcluster/"+c.Name, "-n", c.Namespace, fmt.Sprintf("--replicas=%d", n)); err != nil {
		t.Fatalf("kubectl scale: %v\n%s", err, out)
	}
	must(t, refresh(t.Context(), c))
}

// awaitScaled waits until the cluster has n members, all well, and nothing is left of others.
func awaitScaled(t *testing.T, c *v1alpha1.RaftCluster, n int32) {
	t.Helper()
	start := time.Now()
	awaitStable(t, c, 180*time.Second)
	if c.Status.Change != nil || c.Status.Replicas != n || len(c.Status.Members) != int(n) {
		t.Errorf("the status is %+v, want %d members and no change", c.Status, n)
	}
	for _, list := range []client.ObjectList{&appsv1.StatefulSetList{}, &corev1.PersistentVolumeClaimList{}} {
		awaitCount(t, c, list, int(n))
	}
	t.Logf("%d members after %.1f s", n, time.Since(start).Seconds())
}

// awaitCount waits until the cluster has n objects of the list's kind.
func awaitCount(t *testing.T, c *v1alpha1.RaftCluster, list client.ObjectList, n int) {
	t.Helper()
	await(t, 60*time.Second, func(ctx context.Context) (string, error) {
		err := kube.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels{clusterLabel: c.Name})
		if got := meta.LenList(list); got != n {
			return fmt.Sprintf("there are %d of %T, want %d", got, list, n), err
		}
		return "", err
	})
}

// awaitStep waits until a change of the membership is at the step.
func awaitStep(t *testing.T, c *v1alpha1.RaftCluster, step v1alpha1.ChangeStep) {
	t.Helper()
	await(t, 120*time.Second, func(ctx context.Context) (string, error) {
		err := refresh(ctx, c)
		if c.Status.Change == nil || c.Status.Change.Step != step {
			return fmt.Sprintf("the change is %+v, want it to be %s", c.Status.Change, step), err
		}
		return "", err
	})
}

// awaitChange waits until a change of the membership is under way.
func awaitChange(t *testing.T, c *v1alpha1.RaftCluster) {
	t.Helper()
	await(t, 60*time.Second, func(ctx context.Context) (string, error) {
		err := refresh(ctx, c)
		if c.Status.Change == nil {
			return "no change is under way; " + progressOf(t, c), err
		}
		return "", err
	})
}

// awaitMembers waits until the status has n members, whatever they do.
func awaitMembers(t *testing.T, c *v1alpha1.RaftCluster, n int) {
	t.Helper()
	await(t, 120*time.Second, func(ctx context.Context) (string, error) {
		err := refresh(ctx, c)
		if got := len(c.Status.Members); got != n {
			return fmt.Sprintf("there are %d members, want %d; %s", got, n, progressOf(t, c)), err
		}
		return "", err
	})
}
