package raftcluster

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

var logCorrupt = &nodeapi.Health{Fault: "LogCorrupt", Remedy: "RepairFromPeers", Message: "segment 3: record 7 is damaged"}

// neverReplace leaves every repair to restarts.
func neverReplace(c *v1alpha1.RaftCluster) {
	none := int32(0)
	c.Spec.Recovery.MaxReplacements = &none
}

// A member with an unrecoverable fault is named in condition and Event and restarted as
// often as allowed, with backoff; a fresh operator in each pass loses no count.
func TestUnrecoverableMember(t *testing.T) {
	w := newWorld(t)
	w.create("demo", neverReplace)
	w.until(w.reconciler(w.c), "demo", "stable", stable)
	w.damage("demo-2-0", logCorrupt)

	var restarts []time.Duration // after the fault
	start, pod := w.clock(), w.podUID("demo-2-0")
	for range 120 {
		if _, err := w.pass(w.reconciler(w.c), "demo"); err != nil {
			t.Fatal(err)
		}
		if now := w.podUID("demo-2-0"); now != pod {
			if now != "" {
				restarts = append(restarts, w.clock().Sub(start))
			}
			pod = now
		}
		w.advance(time.Second)
	}
	// Backoff 10 s, 20 s; a pass each second, and some passes for each restart.
	want := []time.Duration{2 * time.Second, 12 * time.Second, 33 * time.Second}
	near := func(a, b time.Duration) int {
		if d := a - b; d < -3*time.Second || d > 3*time.Second {
			return 1
		}
		return 0
	}
	if slices.CompareFunc(restarts, want, near) != 0 {
		t.Errorf("restarts %v after the fault, want about %v", restarts, want)
	}

	c := w.get("demo")
	const text = "member demo-2: LogCorrupt: segment 3: record 7 is damaged"
	if !hasReason(v1alpha1.ConditionMembersHealthy, v1alpha1.ReasonUnrecoverableMember)(c) || message(t, c, v1alpha1.ConditionMembersHealthy) != text {
		t.Errorf("MembersHealthy is %+v", meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionMembersHealthy))
	}
	if !isTrue(v1alpha1.ConditionAvailable)(c) || c.Status.Ready != "2/3" || c.Status.Member(2).Role != "Fenced" {
		t.Errorf("the other two must go on: %+v", c.Status)
	}
	if !hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonRestartBudgetExhausted)(c) {
		t.Errorf("Progressing: %s", message(t, c, v1alpha1.ConditionProgressing))
	}
	if got := c.Status.Member(2).Restarts; got == nil || got.Count != 3 {
		t.Errorf("restarts in status: %+v, want 3", got)
	}
	if got := w.eventsOf(v1alpha1.ReasonPodRestarted); len(got) != 3 {
		t.Errorf("Events: %v, want 3", got)
	}
	wantEvents := []string{"Warning UnrecoverableMember: member demo-2: LogCorrupt (remedy RepairFromPeers): segment 3: record 7 is damaged"}
	if diff := cmp.Diff(wantEvents, w.eventsOf(v1alpha1.ReasonUnrecoverableMember)); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}

	// It is well again: the condition clears, and after a while the count does.
	w.damage("demo-2-0", nil)
	r := w.reconciler(w.c)
	c = w.until(r, "demo", "well", isTrue(v1alpha1.ConditionMembersHealthy))
	if c.Status.Member(2).Restarts == nil {
		t.Error("the count was forgotten at once")
	}
	if got := w.eventsOf(v1alpha1.ReasonMemberRecovered); len(got) != 1 {
		t.Errorf("Events: %v, want 1", got)
	}
	w.advance(9 * time.Minute)
	if _, err := w.pass(r, "demo"); err != nil {
		t.Fatal(err)
	}
	if w.get("demo").Status.Member(2).Restarts == nil {
		t.Error("the count was forgotten too early")
	}
	w.advance(2 * time.Minute)
	w.until(r, "demo", "forgotten", func(c *v1alpha1.RaftCluster) bool { return c.Status.Member(2).Restarts == nil })
}

// Between the restart and the new pod's word the fault is not taken for gone.
func TestFaultStaysUntilTheMemberIsWell(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.damage("demo-2-0", logCorrupt)
	w.until(r, "demo", "restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-2-0") == "" })
	for range 2 { // the pod is missing
		if _, err := r.Reconcile(w.ctx, request(w.ns, "demo")); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.get("demo"); !hasReason(v1alpha1.ConditionMembersHealthy, v1alpha1.ReasonUnrecoverableMember)(c) {
		t.Error("the condition cleared with the pod")
	}
}

// Faults that no restart mends are told, and nothing is restarted.
func TestNoRestartWhereNoneHelps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		health  nodeapi.Health
		reason  string
		healthy string
	}{
		{nodeapi.Health{Fault: "DiskFull", Remedy: "FreeSpace", Message: "0 bytes left"}, v1alpha1.ReasonRestartUseless, v1alpha1.ReasonMemberImpaired},
		{nodeapi.Health{Fault: "ConfigInvalid", Remedy: "Operator", Message: "no"}, v1alpha1.ReasonRestartUseless, v1alpha1.ReasonUnrecoverableMember},
	} {
		t.Run(tt.health.Fault, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			r := w.reconciler(w.c)
			w.until(r, "demo", "stable", stable)
			w.damage("demo-3-0", &tt.health)
			c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, tt.reason))
			if !hasReason(v1alpha1.ConditionMembersHealthy, tt.healthy)(c) {
				t.Errorf("MembersHealthy: %+v", meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionMembersHealthy))
			}
			for range 10 {
				if _, err := w.pass(r, "demo"); err != nil {
					t.Fatal(err)
				}
				w.advance(time.Minute)
			}
			if got := w.eventsOf(v1alpha1.ReasonPodRestarted); got != nil {
				t.Errorf("restarted: %v", got)
			}
			if got := w.eventsOf(tt.reason); len(got) != 1 {
				t.Errorf("told %d times, want once: %v", len(got), got)
			}
		})
	}
}

// A wiped volume is never founded again under its member's ID.
func TestWipedVolumeTakesNoPart(t *testing.T) {
	w := newWorld(t)
	w.create("demo", neverReplace)
	r := w.reconciler(w.c)
	before := w.until(r, "demo", "stable", stable)
	w.wipe("demo", 2)
	c := w.until(r, "demo", "told", hasReason(v1alpha1.ConditionMembersHealthy, v1alpha1.ReasonUnrecoverableMember))
	if got := message(t, c, v1alpha1.ConditionMembersHealthy); !strings.HasPrefix(got, "member demo-2: VolumeLost: the volume data-demo-2-0 is not the one") {
		t.Errorf("message: %s", got)
	}
	if !isTrue(v1alpha1.ConditionAvailable)(c) || isTrue(v1alpha1.ConditionDataLossPossible)(c) {
		t.Errorf("two of three go on and hold everything: %+v", c.Status.Conditions)
	}

	// A second one: the quorum of volumes is gone, and with it maybe what was acknowledged.
	w.wipe("demo", 3)
	w.until(r, "demo", "loss told", isTrue(v1alpha1.ConditionDataLossPossible))
	for range 10 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	c = w.get("demo")
	for _, id := range []int64{2, 3} {
		if w.nodes[c.PodName(id)].volume.founded {
			t.Errorf("the wiped volume of member %d was founded", id)
		}
		if got, want := c.Status.Member(id).Incarnation, before.Status.Member(id).Incarnation; got != want {
			t.Errorf("slot of member %d changed from %s to %s", id, want, got)
		}
	}
	if got := w.eventsOf(v1alpha1.ReasonPodRestarted); got != nil {
		t.Errorf("restarted for nothing: %v", got)
	}
}

// A volume that is lost before it was founded, but after its slot was filled, takes no
// part either: the grant may have been on its way.
func TestVolumeLostBetweenSlotAndGrant(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	deadly := &writes{}
	r := w.reconciler(deadly.wrap(w.c))
	w.until(r, "demo", "slot filled", func(c *v1alpha1.RaftCluster) bool {
		m := c.Status.Member(1)
		return m != nil && m.Incarnation != ""
	})
	w.wipe("demo", 1)
	for range 30 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Second)
	}
	c := w.get("demo")
	if w.nodes["demo-1-0"].volume.founded || isTrue(v1alpha1.ConditionBootstrapComplete)(c) {
		t.Error("the volume was founded")
	}
	if !isTrue(v1alpha1.ConditionAvailable)(c) {
		t.Errorf("the other two are a quorum: %s", message(t, c, v1alpha1.ConditionAvailable))
	}
}

func (w *world) podUIDs(names ...string) []types.UID {
	var all []types.UID
	for _, n := range names {
		all = append(all, w.podUID(n))
	}
	return all
}
