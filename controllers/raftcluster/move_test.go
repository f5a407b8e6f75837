package raftcluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// other is what the name of the world's second StorageClass ends with.
const other = "-other"

func (w *world) otherClass() *string { return w.classOf(w.ns+other, true) }

// moved: everything is as wanted, and these members are no more.
func moved(ids ...int64) func(*v1alpha1.RaftCluster) bool {
	return func(c *v1alpha1.RaftCluster) bool {
		return settledWith(c.Spec.Replicas)(c) && !slices.ContainsFunc(ids, func(id int64) bool { return c.Status.Member(id) != nil })
	}
}

// wantClasses checks that the claims of all members are of the class that is wanted.
func (w *world) wantClasses(c *v1alpha1.RaftCluster) {
	w.t.Helper()
	for _, m := range c.Status.Members {
		claim := &corev1.PersistentVolumeClaim{}
		w.must(w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: c.ClaimName(m.ID)}, claim))
		if got, want := *claim.Spec.StorageClassName, *c.Spec.Storage.StorageClassName; got != want {
			w.t.Errorf("the claim %s is of the StorageClass %s, want %s", claim.Name, got, want)
		}
	}
}

// ofAClass makes a cluster of n members on volumes of the world's first StorageClass.
func (w *world) ofAClass(n int32) *Reconciler {
	w.t.Helper()
	w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas, c.Spec.Storage.StorageClassName = n, w.class(true) })
	r := w.reconciler(w.c)
	w.until(r, "demo", "stable", stable)
	return r
}

func (w *world) wish(class *string) {
	w.t.Helper()
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.StorageClassName = class })
}

func (w *world) wantChanges(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.changes); diff != "" {
		w.t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestChangeOfClassMovesOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(3) // demo-1 leads
	before := w.get("demo")
	w.wish(w.otherClass())
	c := w.until(r, "demo", "moved", func(c *v1alpha1.RaftCluster) bool {
		if c.Status.Replicas != 3 || c.Status.ReadyReplicas < 2 || !isTrue(v1alpha1.ConditionAvailable)(c) {
			t.Errorf("%d of %d members are ready: %s", c.Status.ReadyReplicas, c.Status.Replicas, message(t, c, v1alpha1.ConditionAvailable))
		}
		if s := c.Status.Change; s != nil && s.Step == v1alpha1.StepAdding && c.Status.Ready != "3/3" {
			t.Errorf("READY is %s while one joins", c.Status.Ready)
		}
		return moved(1, 2, 3)(c)
	})
	w.wantMembers(c, 4, 5, 6)
	w.wantClasses(c)
	w.wantChanges("add 4", "promote 4 remove 2", "add 5", "promote 5 remove 3", "add 6", "promote 6 remove 1")
	if c.Status.ClusterID != before.Status.ClusterID || c.Status.Replacements != nil || w.restartsSeen() != 0 {
		t.Errorf("status %+v, %d restarts; want the same group, and nothing counted", c.Status, w.restartsSeen())
	}
	if got := w.eventsOf(v1alpha1.ReasonMoving); len(got) != 3 || !strings.Contains(got[0], "the claim data-demo-2-0 is of the StorageClass") {
		t.Errorf("Events: %v, want three", got)
	}
	if got := w.eventsOf(v1alpha1.ReasonLeaderTransferred); len(got) != 1 {
		t.Errorf("Events: %v, want one", got)
	}
	w.wantNoWrites("demo")
}

func TestOnlyMemberMoves(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(1)
	w.wish(w.otherClass())
	c := w.until(r, "demo", "moved", moved(1))
	w.wantMembers(c, 2)
	w.wantClasses(c)
	w.wantChanges("add 2", "promote 2", "remove 1")
}

// A class that gives no volume is told, holds up no repair, and may be set back.
func TestMoveToAClassWithoutVolumes(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(3)
	was, dry := w.get("demo").Spec.Storage.StorageClassName, "dry"
	w.dry[dry] = true
	w.wish(&dry)
	c := w.until(r, "demo", "pending", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonVolumePending))
	const want = `member demo-4 takes the place of demo-2 (StorageChange): its claim data-demo-4-0 of the StorageClass "dry" has no volume yet`
	if got := message(t, c, v1alpha1.ConditionProgressing); got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if c.Status.Ready != "3/3" || isTrue(v1alpha1.ConditionDegraded)(c) {
		t.Errorf("three members serve: %+v", c.Status)
	}
	if got := w.eventsOf(v1alpha1.ReasonVolumePending); len(got) != 1 {
		t.Errorf("told %d times, want once: %v", len(got), got)
	}
	w.damage("demo-3-0", logCorrupt)
	pod := w.podUID("demo-3-0")
	w.until(r, "demo", "restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-3-0") != pod })
	w.damage("demo-3-0", nil)
	w.until(r, "demo", "well", func(c *v1alpha1.RaftCluster) bool { return c.Status.Ready == "3/3" })
	w.wipe("demo", 3)
	w.until(r, "demo", "about to be replaced", func(c *v1alpha1.RaftCluster) bool {
		return c.Status.Change != nil && c.Status.Change.Kind == v1alpha1.ChangeReplace && c.Status.Change.Leaving == 3
	})
	w.wish(was)
	c = w.until(r, "demo", "replaced", moved(3))
	w.wantMembers(c, 1, 2, 5)
	w.wantClasses(c)
	w.wantChanges("add 5", "promote 5 remove 3")
}

// The class is set back when one has moved and the next one joins: that one is taken away again,
// and the first moves back.
func TestMoveIsTakenBack(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(3)
	was := w.get("demo").Spec.Storage.StorageClassName
	w.wish(w.otherClass())
	w.until(r, "demo", "learning", func(c *v1alpha1.RaftCluster) bool {
		s := c.Status.Change
		return s != nil && s.Joining == 5 && s.Step == v1alpha1.StepPromoting
	})
	w.wish(was)
	c := w.until(r, "demo", "moved back", moved(2, 4, 5))
	w.wantMembers(c, 1, 3, 6)
	w.wantClasses(c)
	w.wantChanges("add 4", "promote 4 remove 2", "add 5", "remove 5", "add 6", "promote 6 remove 4")
}

// A member is lost while another one moves: the new one takes its place, and the other moves later.
func TestMoveBecomesAReplacement(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(3)
	w.feed = 1 << 30
	w.wish(w.otherClass())
	w.until(r, "demo", "learning", func(c *v1alpha1.RaftCluster) bool {
		return c.Status.Change != nil && c.Status.Change.Step == v1alpha1.StepPromoting
	})
	w.wipe("demo", 3)
	w.until(r, "demo", "about to be replaced", func(c *v1alpha1.RaftCluster) bool {
		return c.Status.Change != nil && c.Status.Change.Kind == v1alpha1.ChangeReplace
	})
	w.feed = 2
	c := w.until(r, "demo", "moved", moved(1, 2, 3))
	w.wantMembers(c, 4, 5, 6)
	w.wantChanges("add 4", "promote 4 remove 3", "add 5", "promote 5 remove 2", "add 6", "promote 6 remove 1")
	if got := c.Status.Replacements; got == nil || got.Count != 1 {
		t.Errorf("replacements counted: %+v, want 1", got)
	}
}

// The operator dies again and again while all members move, be they three or only one: each once,
// the same group, and nothing counted as a replacement.
func TestCrashAtAnyWriteOfAMove(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n        int32
		from, to []int64
	}{{1, []int64{1}, []int64{2}}, {3, []int64{1, 2, 3}, []int64{4, 5, 6}}} {
		for name, dies := range deaths() {
			t.Run(fmt.Sprintf("%d members, %s", tt.n, name), func(t *testing.T) {
				w := newWorld(t)
				w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Replicas, c.Spec.Storage.StorageClassName = tt.n, w.class(true) })
				m := w.successors(dies)
				before := m.live("stable", stable)
				w.wish(w.otherClass())
				c := m.live("moved", moved(tt.from...))
				w.wantMembers(c, tt.to...)
				w.wantClasses(c)
				if c.Status.ClusterID != before.Status.ClusterID || c.Status.Replacements != nil || c.Status.HighestMemberID != int64(2*tt.n) {
					t.Errorf("status %+v; want the same group, nothing counted, and no ID spent in vain", c.Status)
				}
				t.Logf("%d deaths at %d writes", m.deaths, m.deadly.done)
			})
		}
	}
}

// Nothing begins while the cluster is paused; what was paused in the middle goes on.
func TestMoveIsPaused(t *testing.T) {
	w := newWorld(t)
	r := w.ofAClass(3)
	w.pause(true)
	w.wish(w.otherClass())
	w.until(r, "demo", "paused", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonPaused))
	w.wantNoWrites("demo")
	w.pause(false)
	w.until(r, "demo", "begun", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change != nil })
	w.pause(true)
	for range 10 {
		if _, err := w.pass(r, "demo"); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	w.wantChanges()
	w.pause(false)
	w.wantClasses(w.until(r, "demo", "moved", moved(1, 2, 3)))
}

func (w *world) pause(paused bool) {
	w.t.Helper()
	w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Paused = paused })
}
