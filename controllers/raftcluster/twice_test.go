package raftcluster

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/plan"
)

// Another member falls ill between the look and the act of a roll-out: the pod that serves is
// not restarted, neither a follower's nor that of a leader that knows no other way to hand over.
func TestPodThatServesIsDecidedOnTwice(t *testing.T) {
	t.Parallel()
	for kind, victim := range map[plan.Kind]string{plan.RestartPod: "demo-2-0", plan.Transfer: "demo-1-0"} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			w.noMoves = true
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
			o, d := w.untilDecided(r, kind)
			uid := w.podUID(victim)
			w.damage("demo-3-0", logCorrupt)
			w.must(r.act(w.ctx, o, &d))
			if p := w.pod(victim); p == nil || p.UID != uid || p.DeletionTimestamp != nil {
				t.Errorf("%s was restarted while demo-3-0 is ill", victim)
			}
		})
	}
}

// untilDecided lets an operator work until it is about to do something of that kind.
func (w *world) untilDecided(r *Reconciler, kind plan.Kind) (*observe.Observed, plan.Decision) {
	w.t.Helper()
	for range 120 {
		w.step()
		o, err := r.observe(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo"})
		w.must(err)
		if d := r.decide(o); d.Action.Kind == kind {
			return o, d
		}
		_, err = r.Reconcile(w.ctx, request(w.ns, "demo"))
		w.must(err)
		w.advance(time.Second)
	}
	w.t.Fatalf("the operator never decides on %s", kind)
	return nil, plan.Decision{}
}
