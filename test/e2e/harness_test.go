//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// What judges the acts can say no.

func TestRegisterRefuses(t *testing.T) {
	model := porcupine.Model{Partition: byKey, Init: func() any { return "" }, Step: step}
	said := func(verb, value, old string, out kvOutput) (kvInput, kvOutput) {
		return kvInput{verb: verb, key: "k", value: value, old: old}, out
	}
	known := kvOutput{known: true}
	for _, h := range []struct {
		name string
		ok   bool
		ops  func(add func(in kvInput, out kvOutput))
	}{
		{"a write that is read", true, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(read, "", "", kvOutput{known: true, value: "a"}))
		}},
		{"a write that is lost", false, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(read, "", "", known))
		}},
		{"a cas of what is not there", false, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(cas, "c", "b", kvOutput{known: true, swapped: true}))
		}},
		{"a cas that failed for no reason", false, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(cas, "b", "a", known))
		}},
		{"a cas without an answer that took effect", true, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(cas, "b", "a", kvOutput{}))
			add(said(read, "", "", kvOutput{known: true, value: "b"}))
		}},
		{"a cas without an answer that did not", true, func(add func(kvInput, kvOutput)) {
			add(said(write, "a", "", known))
			add(said(cas, "b", "a", kvOutput{}))
			add(said(read, "", "", kvOutput{known: true, value: "a"}))
		}},
	} {
		t.Run(h.name, func(t *testing.T) {
			l := newHistory()
			clock := time.Duration(0)
			h.ops(func(in kvInput, out kvOutput) {
				clock += 2
				l.add(int(clock), in, out, clock, clock+1)
			})
			if got := porcupine.CheckOperations(model, l.ops); got != h.ok {
				t.Errorf("linearizable is %t, want %t", got, h.ok)
			}
		})
	}
}

func TestGapCountsTheEnds(t *testing.T) {
	h := newHistory()
	h.acked = []time.Duration{1 * time.Second, 5 * time.Second, 6 * time.Second}
	const sec = time.Second
	for _, w := range []struct{ from, to, gap, at time.Duration }{
		{0, 6 * sec, 4 * sec, 1 * sec},
		{0, 3 * sec, 2 * sec, 1 * sec},
		{2 * sec, 6 * sec, 3 * sec, 2 * sec},
		{0, 20 * sec, 14 * sec, 6 * sec},
	} {
		if gap, at := h.gap(w.from, w.to); gap != w.gap || at != w.at {
			t.Errorf("the longest gap from %v to %v is %v at %v, want %v at %v", w.from, w.to, gap, at, w.gap, w.at)
		}
	}
}

func TestGuardComplains(t *testing.T) {
	voters := map[string]bool{"1": true, "2": true, "3": true}
	pod := func(member string, ready bool) *corev1.Pod {
		status := corev1.ConditionFalse
		if ready {
			status = corev1.ConditionTrue
		}
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: member, UID: types.UID(member), Labels: map[string]string{memberLabel: member}}}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{}}
		return p
	}
	taken := func(member string) *corev1.Pod {
		p := pod(member, true)
		now := metav1.Now()
		p.DeletionTimestamp = &now
		return p
	}
	for _, w := range []struct {
		name       string
		events     func(*guard)
		complaints int
	}{
		{"one of three", func(g *guard) { g.see(voters, watch.Modified, taken("1")) }, 0},
		{"two of three", func(g *guard) {
			g.see(voters, watch.Modified, taken("1"))
			g.see(voters, watch.Deleted, pod("2", true))
		}, 1},
		{"one, and then one that serves no more", func(g *guard) {
			g.see(voters, watch.Modified, taken("1"))
			g.see(voters, watch.Modified, pod("2", false))
			g.see(voters, watch.Modified, taken("2"))
		}, 0},
		{"one while another is long lost", func(g *guard) {
			g.lose(func(s *sighting) bool { return s.member == "2" })
			g.pods["2"].stopped = time.Now().Add(-2 * blind)
			g.see(voters, watch.Modified, pod("2", true)) // what Kubernetes still says
			g.see(voters, watch.Modified, taken("1"))
		}, 1},
		{"one while another was lost just now", func(g *guard) {
			g.lose(func(s *sighting) bool { return s.member == "2" })
			g.see(voters, watch.Modified, taken("1"))
		}, 0},
		{"one that has no vote", func(g *guard) {
			g.see(voters, watch.Modified, taken("1"))
			g.see(voters, watch.Added, pod("4", true))
			g.see(voters, watch.Deleted, pod("4", true))
		}, 0},
	} {
		t.Run(w.name, func(t *testing.T) {
			g := &guard{pods: map[types.UID]*sighting{}}
			for member := range voters {
				g.see(voters, watch.Added, pod(member, true))
			}
			w.events(g)
			if len(g.complaints) != w.complaints {
				t.Errorf("the complaints are %q, want %d", g.complaints, w.complaints)
			}
		})
	}
}
