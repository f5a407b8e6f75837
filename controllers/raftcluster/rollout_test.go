package raftcluster

import (
	"strings"
	"testing"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// A broken image is being tried on one member when another one loses its volume: that is
// replaced by one that runs what the others run. Then the image is set back.
func TestStuckRollOutBlocksNoReplacement(t *testing.T) {
	w := newWorld(t)
	w.bad = "broken:1"
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas = 5 })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = w.bad })
	c := w.until(r, "demo", "stuck", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRolloutStuck))
	if c.Status.Canary != 2 || c.Status.UpdatedReplicas != 1 {
		t.Errorf("canary %d, %d updated; want 2 and 1", c.Status.Canary, c.Status.UpdatedReplicas)
	}
	w.wipe("demo", 4)
	c = w.until(r, "demo", "replaced", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change == nil && c.Status.Member(4) == nil })
	w.wantMembers(c, 1, 2, 3, 5, 6)
	if got := w.pod("demo-6-0").Spec.Containers[0].Image; got == w.bad {
		t.Errorf("the new member runs %s", got)
	}
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "" })
	c = w.until(r, "demo", "taken back", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "5/5" })
	if c.Status.Canary != 0 || c.Status.UpdatedReplicas != 5 {
		t.Errorf("canary %d, %d updated; want none and 5", c.Status.Canary, c.Status.UpdatedReplicas)
	}
	if got := w.eventsOf(v1alpha1.ReasonChangeTried); len(got) != 1 {
		t.Errorf("a change was tried %d times, want once: %v", len(got), got)
	}
}

// A node that is too new for the others stops the roll-out at the first member, with what to
// do; doing it brings back what was.
func TestVersionsThatAreTooFarApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to, reason string }{
		{"v1.0.0", "v1.4.0", v1alpha1.ReasonVersionSkew},
		{"v1.4.0", "v1.0.0", v1alpha1.ReasonDowngradeRefused},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Image = tt.from })
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = tt.to })
			c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, tt.reason))
			if got := message(t, c, v1alpha1.ConditionProgressing); !strings.Contains(got, "set spec.image back") {
				t.Errorf("message %q says not what to do", got)
			}
			if got := w.restartsSeen(); got != 1 {
				t.Errorf("%d pods were restarted, want one", got)
			}
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = tt.from })
			w.until(r, "demo", "taken back", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == tt.from })
			if got := w.eventsOf(tt.reason); len(got) != 1 {
				t.Errorf("told %d times, want once: %v", len(got), got)
			}
		})
	}
}

// The next member is changed only when the last one was ready for minReadySeconds.
func TestMinReadySeconds(t *testing.T) {
	w := newWorld(t)
	long := int32(60)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.UpdateStrategy.MinReadySeconds = &long })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	began := w.clock()
	w.until(r, "demo", "two are changed", func(c *v1alpha1.RaftCluster) bool { return c.Status.UpdatedReplicas == 2 && c.Status.Ready == "3/3" })
	if took := w.clock().Sub(began); took < 60e9 {
		t.Errorf("two members were changed within %v", took)
	}
}
