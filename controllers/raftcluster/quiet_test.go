package raftcluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// successors is an operator that dies at its writes, and another that goes on.
type successors struct {
	w      *world
	deadly *writes
	deaths int
	r      *Reconciler
}

func (w *world) successors(dies func(int) death) *successors {
	m := &successors{w: w, deadly: &writes{dies: dies}}
	m.r = w.mortalReconciler(m.deadly)
	return m
}

// live lets operators work and die until the condition holds.
func (m *successors) live(what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
	m.w.t.Helper()
	for range 400 {
		_, err := m.w.pass(m.r, "demo")
		switch {
		case errors.Is(err, errCrash):
			m.deaths++
			m.deadly.dead = false
			m.r = m.w.mortalReconciler(m.deadly)
		case err != nil:
			m.w.t.Fatalf("until %s, after %d deaths: %v", what, m.deaths, err)
		}
		if c := m.w.get("demo"); done(c) {
			return c
		}
		m.w.advance(time.Second)
	}
	m.w.t.Fatalf("never %s, after %d deaths (%v): %+v", what, m.deaths, m.deadly.log, m.w.get("demo").Status)
	return nil
}

// deaths are ways to die: before or after each write, or at random.
func deaths() map[string]func(int) death {
	all := map[string]func(int) death{
		"before each write": func(n int) death { return death(n%2) * diesBefore },
		"after each write":  func(int) death { return diesWithout },
	}
	for seed := range *seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		all[fmt.Sprintf("seed %d", seed)] = func(int) death { return death(random.IntN(3)) }
	}
	return all
}

// The operator dies again and again while a cluster is expanded, hibernates in the middle of
// a roll-out, wakes, loses its RaftCluster and is adopted: the same group, the same volumes,
// and no pod is stopped but by the hibernation.
func TestCrashAtAnyWriteOfTheQuietLife(t *testing.T) {
	t.Parallel()
	for name, dies := range deaths() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", func(c *v1alpha1.RaftCluster) { c.Spec.Storage.StorageClassName = w.class(true) })
			m := w.successors(dies)
			before := m.live("stable", stable)
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Storage.Size = resource.MustParse("2Gi") })
			m.live("expanded", func(c *v1alpha1.RaftCluster) bool { return stable(c) && w.capacities() == "2Gi 2Gi 2Gi" })
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
			old := w.podUID("demo-2-0")
			m.live("one restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-2-0") != old })
			w.hibernate("demo", true)
			m.live("asleep", asleep)
			w.wantAsleep(3)
			w.hibernate("demo", false)
			m.live("awake", func(c *v1alpha1.RaftCluster) bool {
				return stable(c) && c.Status.Version == "node:2" && c.Status.Ready == "3/3"
			})
			pods := w.podUIDs("demo-1-0", "demo-2-0", "demo-3-0")
			w.deleteOrphaning("demo")
			w.create("demo", func(c *v1alpha1.RaftCluster) {
				c.Spec.Image, c.Spec.Storage.Size, c.Spec.Storage.StorageClassName = "node:2", resource.MustParse("2Gi"), before.Spec.Storage.StorageClassName
			})
			c := m.live("adopted", stable)
			w.wantObjects(c, 3)
			w.wantSameGroup(before, c)
			w.wantPods(pods, "demo-1-0", "demo-2-0", "demo-3-0")
			t.Logf("%d deaths at %d writes", m.deaths, m.deadly.done)
		})
	}
}
