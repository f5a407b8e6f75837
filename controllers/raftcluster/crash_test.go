package raftcluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/node/nodeapi"
)

// seeds is how many random lives each test lives that draws them. Each takes up to a minute of
// an API server's time; a night may live hundreds.
var seeds = flag.Uint64("seeds", 1, "random lives per test")

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
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return n.write(fmt.Sprintf("create %T %s", obj, obj.GetName()), func() error { return c.Create(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return n.write(fmt.Sprintf("delete %T %s", obj, obj.GetName()), func() error { return c.Delete(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return n.write(fmt.Sprintf("patch %T %s", obj, obj.GetName()), func() error { return c.Patch(ctx, obj, patch, opts...) })
		},
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
			return n.write("update "+sub, func() error { return c.SubResource(sub).Update(ctx, obj, opts...) })
		},
	})
}

// mortal is a client of nodes whose changes count as writes.
type mortal struct {
	nodeclient.Client
	writes *writes
}

func (m mortal) Found(ctx context.Context, t nodeclient.Target, incarnation string) error {
	return m.writes.write("found "+t.Host, func() error { return m.Client.Found(ctx, t, incarnation) })
}

func (m mortal) Transfer(ctx context.Context, t nodeclient.Target) error {
	return m.writes.write("transfer "+t.Host, func() error { return m.Client.Transfer(ctx, t) })
}

func (m mortal) ChangeMembers(ctx context.Context, t nodeclient.Target, c nodeapi.MemberChange) (*nodeapi.Membership, error) {
	var result *nodeapi.Membership
	err := m.writes.write("change members: "+tellMemberChange(c), func() (err error) {
		result, err = m.Client.ChangeMembers(ctx, t, c)
		return err
	})
	return result, err
}

// mortalReconciler gives a fresh operator whose every write may be its last.
func (w *world) mortalReconciler(n *writes) *Reconciler {
	r := w.reconciler(n.wrap(w.c))
	r.Nodes = mortal{r.Nodes, n}
	return r
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
	t.Parallel()
	t.Run("before each write", func(t *testing.T) {
		// The first attempt of each write dies, the second one, of the next operator, does not.
		crashedLife(t, func(n int) death { return death(n%2) * diesBefore })
	})
	t.Run("after each write", func(t *testing.T) {
		crashedLife(t, func(int) death { return diesWithout })
	})
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			crashedLife(t, func(int) death { return death(random.IntN(3)) })
		})
	}
}

func crashedLife(t *testing.T, dies func(int) death) {
	const name = "life"
	w := newWorld(t)
	w.create(name, short)
	deadly := &writes{dies: dies}
	deaths := 0
	r := w.mortalReconciler(deadly)
	live := func(what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
		t.Helper()
		for range 400 {
			_, err := w.pass(r, name)
			switch {
			case errors.Is(err, errCrash):
				deaths++
				deadly.dead = false
				r = w.mortalReconciler(deadly)
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

	if got := c.Status.Member(2).Restarts; got == nil || got.Count != 1 {
		t.Errorf("restarts counted: %+v, want 1", got)
	}
	pods := w.podUIDs(name+"-1-0", name+"-2-0", name+"-3-0")
	first := leafOf(t, w.secret(c.CASecretName()).Data)
	for rotated := false; !rotated; w.advance(6 * time.Hour) { // by a quarter of a leaf's life
		live("with certificates in order", func(c *v1alpha1.RaftCluster) bool {
			if all := w.refusals(); len(all) > 0 {
				t.Fatalf("after %d deaths: %v", deaths, all)
			}
			return stable(c) && w.upToDate(c)
		})
		rotated = !slices.ContainsFunc(filesOf(t, w.secret(name+"-1-tls")).trusted, first.Equal)
	}
	if !slices.Equal(pods, w.podUIDs(name+"-1-0", name+"-2-0", name+"-3-0")) {
		t.Error("pods were restarted for certificates")
	}

	c = w.get(name)
	if c.Status.ClusterID != id {
		t.Error("the cluster ID changed")
	}
	w.wantObjects(c, 3)

	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 4 })
	live("about to be four", func(c *v1alpha1.RaftCluster) bool { return c.Status.Change != nil })
	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Hibernated = true })
	live("asleep", hasReason(v1alpha1.ConditionProgressing, v1alpha1.ReasonHibernated))
	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Hibernated, s.Replicas = false, 3 })
	live("awake, and giving the fourth up", func(c *v1alpha1.RaftCluster) bool {
		return c.Status.Change != nil && c.Status.Change.Kind == v1alpha1.ChangeAbandon
	})
	w.wantMembers(live("three again", settledWith(3)), 1, 2, 3)

	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 5 })
	c = live("five", settledWith(5))
	w.wantMembers(c, 1, 2, 3, 5, 6)
	w.wipe(name, 2)
	c = live("replaced", func(c *v1alpha1.RaftCluster) bool { return settledWith(5)(c) && c.Status.Member(2) == nil })
	w.wantMembers(c, 1, 3, 5, 6, 7)
	if got := c.Status.Replacements; got == nil || got.Count != 1 {
		t.Errorf("replacements counted: %+v, want 1", got)
	}
	w.change(name, func(s *v1alpha1.RaftClusterSpec) { s.Replicas = 3 })
	c = live("three", settledWith(3))
	if len(c.Status.Members) != 3 || c.Status.HighestMemberID != 7 {
		t.Errorf("members %+v, highest ID %d; want 3 and 7", c.Status.Members, c.Status.HighestMemberID)
	}
	w.wantObjects(c, 3)
	if c.Status.ClusterID != id {
		t.Error("the cluster ID changed")
	}
	t.Logf("%d deaths at %d writes", deaths, deadly.done)
}

func (w *world) podUID(name string) types.UID {
	pod := w.pod(name)
	if pod == nil {
		return ""
	}
	return pod.UID
}
