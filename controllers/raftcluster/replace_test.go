package raftcluster

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// replaced: nothing is left of a member, and everything is well.
func replaced(id int64, n int32) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool { return settledWith(n)(c) && c.Status.Member(id) == nil }
}

func TestMemberWithALostVolumeIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.wipe("demo", 2)
	c := w.until(r, "demo", "replaced", replaced(2, 3))
	w.wantMembers(c, 1, 3, 4)
	if diff := cmp.Diff([]string{"add 4", "promote 4 remove 2"}, w.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if c.Status.Replacements == nil || c.Status.Replacements.Count != 1 || isTrue(v1alpha1.ConditionDataLossPossible)(c) {
		t.Errorf("status %+v; want one replacement and no loss", c.Status)
	}
	if got := w.restartsSeen(); got != 0 {
		t.Errorf("%d pods were restarted", got)
	}
	w.advance(11 * time.Minute)
	w.until(r, "demo", "forgotten", func(c *v1alpha1.RaftCluster) bool { return c.Status.Replacements == nil })
}

func TestMemberIsReplacedAfterItsRestarts(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.damage("demo-1-0", logCorrupt) // the leader
	c := w.until(r, "demo", "replaced", replaced(1, 3))
	w.wantMembers(c, 2, 3, 4)
	if got := w.restartsSeen(); got != 3 {
		t.Errorf("%d restarts, want 3", got)
	}
}

// Every replacement loses its volume as well: the budget ends it.
func TestReplacementsEnd(t *testing.T) {
	w := newWorld(t)
	two := int32(2)
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Recovery.MaxReplacements = &two })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.wipe("demo", 3)
	w.until(r, "demo", "replaced", replaced(3, 3))
	w.wipe("demo", 4)
	w.until(r, "demo", "replaced again", replaced(4, 3))
	w.wipe("demo", 5)
	c := w.until(r, "demo", "refused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonReplacementBudgetExhausted))
	if c.Status.Change != nil || !isTrue(v1alpha1.ConditionAvailable)(c) {
		t.Errorf("status %+v", c.Status)
	}
	if got := w.eventsOf(v1alpha1.ReasonReplacementBudgetExhausted); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}
}

// A member with a full disk is left alone for as long as it takes.
func TestFullDiskReplacesNobody(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.damage("demo-3-0", &nodeapi.Health{Fault: "DiskFull", Remedy: "FreeSpace", Message: "0 bytes left"})
	for range 20 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Hour)
	}
	if len(w.changes) != 0 || w.get("demo").Status.Change != nil {
		t.Errorf("changes %v", w.changes)
	}
}

// The node of a member fails: after a while another member takes its place, and what is left of
// it is deleted, though nobody is there to end its pod.
func TestMemberOnALostNodeIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.placed = true
	w.create("demo", nil)
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	w.failMachine("demo-3-0")
	w.until(r, "demo", "seen", func(c *v1alpha1.RaftCluster) bool { return c.Status.Ready == "2/3" })
	w.advance(14 * time.Minute)
	for range 5 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.get("demo"); c.Status.Change != nil || c.Status.Ready != "2/3" {
		t.Errorf("it is replaced too early, or taken for well: %+v", c.Status)
	}
	w.advance(2 * time.Minute)
	c := w.until(r, "demo", "replaced", replaced(3, 3))
	w.wantMembers(c, 1, 2, 4)
	if got := w.pod("demo-3-0"); got != nil {
		t.Errorf("its pod is still there: %s", got.DeletionTimestamp)
	}
	if got := w.eventsOf(v1alpha1.ReasonUnrecoverableMember); len(got) != 1 || !strings.Contains(got[0], "NodeLost (remedy ReplaceMember): its node ") {
		t.Errorf("Events: %v", got)
	}
}
