package raftcluster

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// A decision that rests on what a cache said long ago deletes nothing: the pod serves by
// now, it is another one, or somebody wants something else of the cluster.
func TestRestartIsConfirmedPastTheCache(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(o *observe.Observed, a *plan.Action)
		deleted bool
	}{
		{"the pod serves by now", func(*observe.Observed, *plan.Action) {}, false},
		{"the pod is another one", func(_ *observe.Observed, a *plan.Action) { a.MayServe, a.PodUID = true, types.UID("former") }, false},
		{"the spec has changed", func(o *observe.Observed, a *plan.Action) { a.MayServe = true; o.Cluster.Generation-- }, false},
		{"the cluster is another one of that name", func(o *observe.Observed, a *plan.Action) { a.MayServe = true; o.Cluster.UID = "former" }, false},
		{"it still holds", func(_ *observe.Observed, a *plan.Action) { a.MayServe = true }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			cluster := w.until(r, "demo", "all ready", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
			pod := w.pod("demo-3-0")
			o := &observe.Observed{Cluster: cluster.DeepCopy()}
			a := &plan.Action{Kind: plan.RestartPod, Member: 3, PodUID: pod.UID, Why: "a test"}
			c.change(o, a)
			if err := r.restartPod(w.ctx, o, &observe.Member{ID: 3, Name: "demo-3", Pod: pod}, a); err != nil {
				t.Fatal(err)
			}
			after := w.pod("demo-3-0")
			if deleted := after == nil || after.UID != pod.UID || after.DeletionTimestamp != nil; deleted != c.deleted {
				t.Errorf("deleted: %t, want %t", deleted, c.deleted)
			}
		})
	}
}
