//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// guard watches a cluster's pods and complains when the operator takes away a voter that
// serves while those that are left are no quorum. What the test itself takes away is
// told to it; see lose.
type guard struct {
	cluster *v1alpha1.RaftCluster
	start   time.Time
	stop    context.CancelFunc
	done    chan struct{}

	mu         sync.Mutex
	pods       map[types.UID]*sighting
	voters     map[string]bool // at the last event
	complaints []string
	log        []string // what happened to the voters
	least      string   // how many of how many voters served when they were fewest
	slack      int      // then, how many more than a quorum
}

// sighting is what is known of one pod.
type sighting struct {
	member, node string
	starts       int32 // of its container
	serves       bool
	// stopped is when it stopped to serve by no act of the operator; zero: it did so by one.
	stopped time.Time
	// lostAfter is how many starts it had when the test took it away; 0: it did not. Until the
	// next start, what Kubernetes says of it is old.
	lostAfter int32
}

// blind is how long the operator may take a member for well after it was lost.
const blind = time.Second

func startGuard(t *testing.T, c *v1alpha1.RaftCluster) *guard {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g := &guard{cluster: c.DeepCopy(), start: time.Now(), stop: cancel, done: make(chan struct{}), pods: map[types.UID]*sighting{}}
	for _, p := range pods(t, c) {
		g.look(ctx, watch.Added, &p)
	}
	g.least = "all" // nothing has happened yet
	go g.run(ctx)
	t.Cleanup(func() { cancel(); <-g.done })
	return g
}

func (g *guard) run(ctx context.Context) {
	defer close(g.done)
	for ; ctx.Err() == nil; pause(ctx) {
		w, err := kube.Watch(ctx, &corev1.PodList{}, client.InNamespace(g.cluster.Namespace), client.MatchingLabels{clusterLabel: g.cluster.Name})
		if err != nil {
			continue
		}
		for e := range w.ResultChan() {
			if p, is := e.Object.(*corev1.Pod); is {
				g.look(ctx, e.Type, p)
			}
		}
		w.Stop()
	}
}

// look takes one event of a pod. While there is no RaftCluster the operator does nothing.
func (g *guard) look(ctx context.Context, kind watch.EventType, p *corev1.Pod) {
	if voters, err := votersOf(ctx, g.cluster); err == nil {
		g.see(voters, kind, p)
	}
}

// see takes one event of a pod, at a time with these voters.
func (g *guard) see(voters map[string]bool, kind watch.EventType, p *corev1.Pod) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.pods[p.UID]
	if s == nil {
		s = &sighting{member: p.Labels[memberLabel]}
		g.pods[p.UID] = s
	}
	g.voters, s.node, s.starts = voters, p.Spec.NodeName, startsOf(p)
	taken := kind == watch.Deleted || p.DeletionTimestamp != nil
	switch ready := podReady(p) && !taken; {
	case s.serves && taken:
		g.judge(voters, s, p.Name)
		s.serves, s.stopped = false, time.Time{}
		g.tell(p.Name + " is taken away")
	case s.serves && !ready:
		s.serves, s.stopped = false, time.Now()
		g.tell(p.Name + " is not ready")
	case !s.serves && ready && s.starts > s.lostAfter:
		s.serves, s.lostAfter = true, 0
		g.tell(p.Name + " is ready")
	}
}

// judge complains when a pod was taken that the quorum needs.
func (g *guard) judge(voters map[string]bool, s *sighting, pod string) {
	if !voters[s.member] {
		return
	}
	if left := g.serving(voters, s, blind); left < quorum(voters) {
		g.complaints = append(g.complaints, fmt.Sprintf("%s was taken away while %d others of %d voters served", pod, left, len(voters)))
	}
}

// tell logs what happened and remembers when the fewest voters served.
func (g *guard) tell(what string) {
	voters := g.voters
	n := g.serving(voters, nil, 0)
	g.log = append(g.log, fmt.Sprintf("at %v %s: %d of %d voters serve", time.Since(g.start).Round(time.Millisecond), what, n, len(voters)))
	if slack := n - quorum(voters); g.least == "" || g.least == "all" || slack < g.slack {
		g.least, g.slack = fmt.Sprintf("%d of %d", n, len(voters)), slack
	}
}

// serving counts the voters that serve, one pod left out. One that stopped shorter than
// grace ago counts too, unless the operator took it.
func (g *guard) serving(voters map[string]bool, but *sighting, grace time.Duration) int {
	members := map[string]bool{}
	for _, s := range g.pods {
		if s != but && voters[s.member] && (s.serves || time.Since(s.stopped) < grace) {
			members[s.member] = true
		}
	}
	return len(members)
}

// lose tells that the test takes pods away now: those for which it is true.
func (g *guard) lose(these func(*sighting) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.pods {
		if s.serves && these(s) {
			s.serves, s.stopped, s.lostAfter = false, time.Now(), s.starts
			g.tell("the test takes member " + s.member)
		}
	}
}

// finish reports the complaints and tells how few voters served at the worst moment.
func (g *guard) finish(t *testing.T) string {
	t.Helper()
	g.stop()
	<-g.done
	t.Logf("pods:\n%s", strings.Join(g.log, "\n"))
	for _, c := range g.complaints {
		t.Errorf("the quorum was given up: %s", c)
	}
	return g.least
}

// startsOf counts the starts of the pod's container.
func startsOf(p *corev1.Pod) int32 {
	for _, c := range p.Status.ContainerStatuses {
		return c.RestartCount + 1
	}
	return 0
}

// idString is a member's number as its label has it.
func idString(id int64) string { return strconv.FormatInt(id, 10) }

func quorum(voters map[string]bool) int { return len(voters)/2 + 1 }

// votersOf gives the member numbers of those that count for the quorum.
func votersOf(ctx context.Context, c *v1alpha1.RaftCluster) (map[string]bool, error) {
	now := c.DeepCopy()
	if err := kube.Get(ctx, client.ObjectKeyFromObject(c), now); err != nil {
		return nil, err
	}
	voters := map[string]bool{}
	for _, id := range now.Status.Voters() {
		voters[idString(id)] = true
	}
	return voters, nil
}
