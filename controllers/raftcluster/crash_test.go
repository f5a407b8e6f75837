package raftcluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// errCrash is the operator's death.
var errCrash = errors.New("the operator stops here")

// death says whether the operator dies at a write, by the write's number from 1.
type death int

const (
	lives       death = iota
	diesBefore        // the write does not reach the API server
	diesWithout       // the write is done, the answer is lost
)

// writes counts the writes of an operator and lets it die.
type writes struct {
	done int // attempts
	log  []string
	dies func(n int) death // nil: it lives
	dead bool              // until a fresh operator goes on
}

func (n *writes) write(what string, do func() error) error {
	if n.dead {
		return errCrash
	}
	n.done++
	n.log = append(n.log, what)
	how := lives
	if n.dies != nil {
		how = n.dies(n.done)
	}
	if how != lives {
		n.dead = true
	}
	if how == diesBefore {
		return errCrash
	}
	if err := do(); err != nil || how == lives {
		return err
	}
	return errCrash
}

func (n *writes) wrap(c client.WithWatch) client.WithWatch {
	return interceptor.NewClient(c, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return n.write(fmt.Sprintf("apply %T", obj), func() error { return c.Apply(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return n.write(fmt.Sprintf("delete %T %s", obj, obj.GetName()), func() error { return c.Delete(ctx, obj, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			return n.write("update "+sub, func() error { return c.SubResource(sub).Update(ctx, obj, opts...) })
		},
	})
}

// itemsOf gives the objects of a list.
func itemsOf(t *testing.T, list client.ObjectList) []client.Object {
	t.Helper()
	raw, err := meta.ExtractList(list)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]client.Object, 0, len(raw))
	for _, o := range raw {
		all = append(all, o.(client.Object))
	}
	return all
}

// A life of a cluster, in which the operator dies again and again and a fresh one goes
// on. All lives end alike, and restarts are counted as often as they are done.
func TestCrashAtAnyWriteConverges(t *testing.T) {
	t.Run("before each write", func(t *testing.T) {
		// The first attempt of each write dies, the second one, of the next operator, does not.
		crashedLife(t, func(n int) death { return death(n%2) * diesBefore })
	})
	t.Run("after each write", func(t *testing.T) {
		crashedLife(t, func(int) death { return diesWithout })
	})
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			crashedLife(t, func(int) death { return death(random.IntN(3)) })
		})
	}
}

func crashedLife(t *testing.T, dies func(int) death) {
	const name = "life"
	w := newWorld(t)
	w.create(name, nil)
	deadly := &writes{dies: dies}
	deaths := 0
	r := w.reconciler(deadly.wrap(w.c))
	live := func(what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
		t.Helper()
		for range 400 {
			_, err := w.pass(r, name)
			switch {
			case errors.Is(err, errCrash):
				deaths++
				deadly.dead = false
				r = w.reconciler(deadly.wrap(w.c))
			case err != nil:
				t.Fatalf("until %s, after %d deaths: %v", what, deaths, err)
			}
			if c := w.get(name); done(c) {
				return c
			}
			w.advance(time.Second)
		}
		t.Fatalf("never %s, after %d deaths (%v): %+v", what, deaths, deadly.log, w.get(name).Status)
		return nil
	}

	id := live("stable", stable).Status.ClusterID
	pod := name + "-2-0"
	before := w.podUID(pod)
	w.damage(pod, &nodeapi.Health{Fault: "LogCorrupt", Remedy: "RepairFromPeers", Message: "record 7"})
	live("restarted", func(*v1alpha1.RaftCluster) bool { return w.podUID(pod) != before })
	w.damage(pod, nil)
	live("well", stable)
	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Image = "node:2" })
	c := live("rolled", func(c *v1alpha1.RaftCluster) bool { return stable(c) && c.Status.Version == "node:2" })

	if c.Status.ClusterID != id {
		t.Error("the cluster ID changed")
	}
	if got := c.Status.Member(2).Restarts; got == nil || got.Count != 1 {
		t.Errorf("restarts counted: %+v, want 1", got)
	}
	w.wantObjects(c, 3)
	t.Logf("%d deaths at %d writes", deaths, deadly.done)
}

func (w *world) podUID(name string) types.UID {
	pod := w.pod(name)
	if pod == nil {
		return ""
	}
	return pod.UID
}
