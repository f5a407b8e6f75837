//go:build e2e

package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// roster keeps a connection to each pod of a cluster while pods come and go, and shares
// the clients out among them.
type roster struct {
	namespace, cluster string
	stop               context.CancelFunc
	done               chan struct{}

	mu      sync.Mutex
	members map[types.UID]*seat
}

// seat is the connection to one pod.
type seat struct {
	*forward
	// Guarded by the roster:
	ready   bool // the pod is; others get no new calls, as behind a Service
	clients int  // that use it
}

// follow starts a roster and waits until each pod that runs is connected.
func follow(t *testing.T, c *v1alpha1.RaftCluster) *roster {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &roster{namespace: c.Namespace, cluster: c.Name, stop: cancel, done: make(chan struct{}), members: map[types.UID]*seat{}}
	go r.run(ctx)
	t.Cleanup(func() { cancel(); <-r.done })
	for _, p := range pods(t, c) {
		await(t, 30*time.Second, func(context.Context) (string, error) {
			if r.seat(p.UID) == nil {
				return "no port-forward to " + p.Name, nil
			}
			return "", nil
		})
	}
	return r
}

func (r *roster) run(ctx context.Context) {
	defer close(r.done)
	for ; ctx.Err() == nil; pause(ctx) {
		var list corev1.PodList
		if kube.List(ctx, &list, client.InNamespace(r.namespace), client.MatchingLabels{clusterLabel: r.cluster}) == nil {
			r.update(ctx, list.Items)
		}
	}
}

// update connects to new pods that run and lets go of those that are no more.
func (r *roster) update(ctx context.Context, now []corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	there := map[types.UID]bool{}
	for _, p := range now {
		there[p.UID] = true
		if r.members[p.UID] == nil && p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
			r.members[p.UID] = &seat{forward: startForward(ctx, p, nodeapi.ClientPort)}
		}
		if s := r.members[p.UID]; s != nil {
			s.ready = podReady(&p)
		}
	}
	for uid, s := range r.members {
		if !there[uid] {
			s.stop()
			delete(r.members, uid)
		}
	}
}

// seat gives the connection to a pod, nil while there is none.
func (r *roster) seat(pod types.UID) *forward {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.members[pod]; s != nil && s.endpoint() != "" {
		return s.forward
	}
	return nil
}

// choose moves a client from its seat, nil for none, to the one that serves fewest. It
// stays where that makes no difference, so that there are clients at every member, and a
// gap in all writes is the cluster's. nil: no member is connected and ready.
func (r *roster) choose(old *seat) *seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	var best *seat
	stays := false
	for _, s := range r.members {
		if s.endpoint() == "" || !s.ready {
			continue
		}
		stays = stays || s == old
		if best == nil || s.clients < best.clients {
			best = s
		}
	}
	if stays && best.clients+1 >= old.clients {
		return old
	}
	if old != nil {
		old.clients--
	}
	if best != nil {
		best.clients++
	}
	return best
}
