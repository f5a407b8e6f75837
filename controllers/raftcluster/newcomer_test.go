package raftcluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Somebody wants a broken pod when the replacement of a member has just begun: the new one has the
// image and the resources of those that serve.
func TestNewcomerHasThePodOfThoseThatServe(t *testing.T) {
	w := newWorld(t)
	w.bad = "broken:1"
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.wipe("demo", 2)
	w.until(r, "demo", "about to be replaced", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change != nil })
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) {
		s.Image = w.bad
		s.Pod.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1k")}
	})
	c := w.until(r, "demo", "replaced", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change == nil && c.Status.Member(2) == nil })
	w.wantMembers(c, 1, 3, 4)
	if got := w.pod("demo-4-0").Spec.Containers[0]; got.Image != "node:1" || !got.Resources.Requests.Cpu().IsZero() {
		t.Errorf("the new member runs %s and asks for %v, want what the others have", got.Image, got.Resources.Requests)
	}
	w.until(r, "demo", "stuck", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRolloutStuck))
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image, s.Pod.Resources.Requests = "", nil })
	w.until(r, "demo", "taken back", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
}
