package raftcluster

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// defaults is a spec as the API server fills it in.
func defaults() v1alpha1.RaftClusterSpec {
	duration := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	restarts, replacements := int32(3), int32(3)
	return v1alpha1.RaftClusterSpec{
		Replicas: 3,
		Storage:  v1alpha1.StorageSpec{Size: resource.MustParse("1Gi"), WhenDeleted: v1alpha1.RetainVolumes, WhenRemoved: v1alpha1.DeleteRemoved},
		Raft: v1alpha1.RaftSpec{
			ElectionTimeout: duration(time.Second), HeartbeatInterval: duration(100 * time.Millisecond), SnapshotEntries: 100000,
		},
		Recovery: v1alpha1.RecoverySpec{
			MaxRestarts: &restarts,
			Backoff:     v1alpha1.BackoffSpec{Initial: duration(10 * time.Second), Max: duration(5 * time.Minute)},
			ResetAfter:  duration(10 * time.Minute),

			MaxReplacements: &replacements,
			NodeLostAfter:   duration(15 * time.Minute),
		},
	}
}

func isTrue(kind string) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool { return meta.IsStatusConditionTrue(c.Status.Conditions, kind) }
}

func hasReason(kind, reason string) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool {
		got := meta.FindStatusCondition(c.Status.Conditions, kind)
		return got != nil && got.Reason == reason
	}
}

// stable: nothing is left to do and everything is well.
func stable(c *v1alpha1.RaftCluster) bool {
	return hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonStable)(c) &&
		isTrue(v1alpha1.ConditionAvailable)(c) && isTrue(v1alpha1.ConditionBootstrapComplete)(c) &&
		c.Status.ObservedGeneration == c.Generation
}

func message(t *testing.T, c *v1alpha1.RaftCluster, kind string) string {
	t.Helper()
	got := meta.FindStatusCondition(c.Status.Conditions, kind)
	if got == nil {
		t.Fatalf("no condition %s", kind)
	}
	return got.Message
}
