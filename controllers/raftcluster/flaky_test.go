package raftcluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// flaky is an API server, or the way to it, that fails some calls: before they are done, or
// after, so that only the answer is lost.
type flaky struct {
	random *rand.Rand
	one    int // of so many calls fails; 0: none
	failed map[string]int
}

func (f *flaky) errors() map[string]error {
	what := schema.GroupResource{Resource: "things"}
	return map[string]error{
		"conflict":    apierrors.NewConflict(what, "x", fmt.Errorf("somebody else was first")),
		"throttled":   apierrors.NewTooManyRequests("slow down", 1),
		"unavailable": apierrors.NewServiceUnavailable("etcd has no leader"),
		"internal":    apierrors.NewInternalError(fmt.Errorf("a panic")),
		"timeout":     apierrors.NewTimeoutError("took too long", 0),
		"deadline":    context.DeadlineExceeded,
	}
}

func (f *flaky) call(do func() error) error {
	if f.one == 0 || f.random.IntN(f.one) != 0 {
		return do()
	}
	kinds := []string{"conflict", "throttled", "unavailable", "internal", "timeout", "deadline"}
	kind := kinds[f.random.IntN(len(kinds))]
	f.failed[kind]++
	// A conflict and a refusal for want of room say that nothing was done.
	if kind != "conflict" && kind != "throttled" && f.random.IntN(2) == 0 {
		_ = do()
	}
	return f.errors()[kind]
}

func (f *flaky) wrap(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			return f.call(func() error { return c.Get(ctx, key, obj, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			return f.call(func() error { return c.List(ctx, list, opts...) })
		},
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return f.call(func() error { return c.Apply(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return f.call(func() error { return c.Patch(ctx, obj, patch, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return f.call(func() error { return c.Delete(ctx, obj, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			return f.call(func() error { return c.SubResource(sub).Update(ctx, obj, opts...) })
		},
	})
}

// soonest is how soon a pass may ask for the next one, of itself.
const soonest = 50 * time.Millisecond

// A life of a cluster with an API server that fails every eighth call: it converges, restarts
// are counted as often as they are done, no pass asks for the next one at once, and nobody
// is told of a failure that passes.
func TestFlakyAPIServer(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			w := newWorld(t)
			w.create("demo", nil)
			f := &flaky{random: rand.New(rand.NewPCG(seed, 2)), one: 8, failed: map[string]int{}}
			c := f.wrap(w.c)
			r := w.reconciler(c)
			r.APIReader = c
			live := func(what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
				t.Helper()
				for range 600 {
					result, err := w.pass(r, "demo")
					if err == nil && result.RequeueAfter < soonest {
						t.Fatalf("until %s: the pass asks for the next one after %s", what, result.RequeueAfter)
					}
					if c := w.get("demo"); done(c) {
						return c
					}
					w.advance(time.Second)
				}
				t.Fatalf("never %s: %+v", what, w.get("demo").Status)
				return nil
			}
			before := live("stable", stable)
			w.damage("demo-2-0", logCorrupt)
			uid := w.podUID("demo-2-0")
			live("restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID("demo-2-0") != uid })
			w.damage("demo-2-0", nil)
			live("well", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
			w.change("demo", func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
			live("rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })
			w.hibernate("demo", true)
			live("asleep", asleep)
			w.hibernate("demo", false)
			after := live("awake", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Ready == "3/3" })
			w.wantSameGroup(before, after)
			w.wantObjects(after, 3)
			if got := after.Status.Member(2).Restarts; got == nil || got.Count != 1 {
				t.Errorf("restarts counted: %+v, want 1", got)
			}
			if got := w.eventsOf(v1alpha1.ReasonApplyFailed); got != nil {
				t.Errorf("failures that pass were told: %v", got)
			}
			for kind := range f.errors() {
				if f.failed[kind] == 0 {
					t.Errorf("no call failed with %s", kind)
				}
			}
			t.Logf("failed calls: %v", f.failed)
		})
	}
}

// Who is told when to come again comes then, and not before.
func TestThrottledPassWaitsAsTold(t *testing.T) {
	w := newWorld(t)
	w.create("demo", nil)
	throttled := interceptor.NewClient(w.c, interceptor.Funcs{
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return apierrors.NewTooManyRequests("slow down", 7)
		},
	})
	result, err := w.reconciler(throttled).Reconcile(w.ctx, request(w.ns, "demo"))
	if err != nil || result.RequeueAfter != 7*time.Second {
		t.Errorf("again after %s, %v; want 7s, no error", result.RequeueAfter, err)
	}
}
