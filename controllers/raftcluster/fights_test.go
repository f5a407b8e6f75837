package raftcluster

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Somebody changes a field back each time: the operator stops writing and says so, and tries
// again later.
func TestEndlessEditsAreToldNotFought(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	w.until(w.reconciler(w.c), "demo", "stable", stable)
	n := &writes{}
	r := w.reconciler(n.wrap(w.c))
	fight := func() {
		var svc corev1.Service
		w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: "demo-peers"}, &svc))
		if svc.Spec.PublishNotReadyAddresses {
			svc.Spec.PublishNotReadyAddresses = false
			w.must(w.c.Update(w.ctx, &svc))
		}
	}
	applied := func() int {
		count := 0
		for _, what := range n.log {
			if strings.HasPrefix(what, "apply") {
				count++
			}
		}
		return count
	}
	for range 3 * mostWrites {
		fight()
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if got := applied(); got != mostWrites {
		t.Errorf("%d writes against another program within a moment, want %d", got, mostWrites)
	}
	c := w.get("demo")
	const want = `Service "demo-peers": the field .spec.publishNotReadyAddresses does not stay as it is written`
	if !hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonObjectConflict)(c) || !strings.HasPrefix(message(t, c, v1alpha1.ConditionProgressing), want) {
		t.Errorf("Progressing: %s", message(t, c, v1alpha1.ConditionProgressing))
	}
	if got := w.eventsOf(v1alpha1.ReasonObjectConflict); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}
	w.advance(2 * time.Minute)
	w.until(r, "demo", "put right at last", stable)
}
