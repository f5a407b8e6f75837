package raftcluster

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/apitest"
	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/nodeclient"
	"github.com/quorate/quorate/controllers/objects"
	"github.com/quorate/quorate/node/nodeapi"
)

var config *rest.Config

// worldsAtOnce is how many worlds live at a time beside the one API server, unless -parallel says
// otherwise: a life goes back and forth between test, API server and etcd, so two would leave
// two cores idle for a part of the time.
const worldsAtOnce = "4"

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	if err := flag.Set("test.parallel", worldsAtOnce); err != nil {
		panic(err) // the testing package knows the flag
	}
	apitest.Main(m, func(c *rest.Config) { config = c })
}

// world is what surrounds the operator: a real API server, and in place of what runs
// only on real nodes a model of it. step does what the StatefulSet controller and the
// kubelets do; the nodes answer over real HTTP. Its clock stands still but for tests. Each
// world has a namespace and operators of its own.
type world struct {
	t   *testing.T
	ctx context.Context
	c   client.WithWatch
	ns  string
	url string // of the server that plays all nodes' admin endpoints
	tls string // of the one that does with TLS

	mu      sync.Mutex
	now     time.Time
	volumes map[types.UID]*volume // by claim
	nodes   map[string]*node      // by pod name
	events  []string
	term    uint64
	leader  string            // pod name
	bad     string            // image that does not start
	boot    time.Duration     // from a pod's start until its node answers
	noMoves bool              // nodes do not know PathTransfer
	groups  map[string]*group // by cluster ID
	changes []string          // of the groups' members, in words
	feed    int               // steps until a learner has caught up
	refuse  int               // changes of members that are refused next
	mayLose map[uint64]bool   // members whose volumes a test takes away
	placed  bool              // pods run on Kubernetes nodes, each on one of its own
	failed  map[string]bool   // by pod, whether its Kubernetes node has failed
	theirs  *theirs           // signs Certificates as cert-manager does; nil: nobody does
	late    map[string]bool   // pods whose kubelets do not notice changed Secrets

	dry    map[string]bool                        // StorageClasses that give no volumes
	lies   map[string]func(*nodeapi.Status)       // what nodes tell wrongly, by pod
	growth *corev1.PersistentVolumeClaimCondition // of volumes that are to grow and do not; nil: they do
}

// volume is what outlives a pod.
type volume struct {
	incarnation string
	founded     bool
	damage      *nodeapi.Health // found by whoever opens it
}

// node is a running process.
type node struct {
	pod      types.UID
	id       uint64
	claim    types.UID
	founders []uint64 // of --initial-members; none: it joins
	volume   *volume
	status   nodeapi.Status
	up       time.Time // since then it answers
	secret   string    // mounted; empty: it speaks no TLS
	files    files     // what it has read of that
}

// newWorld gives a world that lives beside those of other tests: all that it makes is in its
// namespace, or has that for a name. A test has one world, or one for each of its subtests.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	return newLoneWorld(t)
}

// newLoneWorld gives a world for a test that no other test may run beside: it changes what
// the API server knows, or measures time.
func newLoneWorld(t *testing.T) *world {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, ctx: t.Context(), c: c, ns: apitest.Namespace(t, config),
		now:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		volumes: map[types.UID]*volume{}, nodes: map[string]*node{}, late: map[string]bool{}, term: 1, boot: 3 * time.Second,
		groups: map[string]*group{}, feed: 2, mayLose: map[uint64]bool{}, failed: map[string]bool{}, dry: map[string]bool{}, lies: map[string]func(*nodeapi.Status){},
	}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.Listener.Addr().String()
	w.serveTLS()
	return w
}

// reconciler gives a fresh operator, as after a restart, that works through c.
func (w *world) reconciler(c client.Client) *Reconciler {
	return &Reconciler{
		Client: c, APIReader: w.c, Nodes: nodeclient.New(w.dial), Events: w, Clock: w.clock,
		Options: objects.Options{DefaultImage: "node:1", OperatorNamespace: "quorate-system"},
	}
}

func (w *world) dial(ctx context.Context, t nodeclient.Target) (net.Conn, error) {
	var d net.Dialer
	if t.TLS != nil {
		return d.DialContext(ctx, "tcp", w.tls)
	}
	return d.DialContext(ctx, "tcp", w.url)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Eventf implements events.EventRecorder.
func (w *world) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, kind+" "+reason+": "+fmt.Sprintf(note, args...))
}

// eventsOf gives the Events of a reason.
func (w *world) eventsOf(reason string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.events {
		if strings.Contains(e, " "+reason+": ") {
			all = append(all, e)
		}
	}
	return all
}

// --- what users do

func (w *world) create(name string, change func(*v1alpha1.RaftCluster)) *v1alpha1.RaftCluster {
	w.t.Helper()
	cluster := &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.ns}}
	// The fields without omitzero must hold what a user's file would leave to the defaults.
	cluster.Spec = defaults()
	if change != nil {
		change(cluster)
	}
	w.must(w.c.Create(w.ctx, cluster))
	return cluster
}

func (w *world) get(name string) *v1alpha1.RaftCluster {
	w.t.Helper()
	var cluster v1alpha1.RaftCluster
	w.must(w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: name}, &cluster))
	return &cluster
}

// change changes the spec of a cluster.
func (w *world) change(name string, change func(*v1alpha1.RaftClusterSpec)) {
	w.t.Helper()
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		cluster := w.get(name)
		change(&cluster.Spec)
		return w.c.Update(w.ctx, cluster)
	}))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// --- what Kubernetes does

// scene is what there is in the world's namespace. A step lists each kind once, and again only
// after it has created or deleted something itself: the API server's time is most of a life's.
type scene struct {
	sets    []appsv1.StatefulSet
	pods    []corev1.Pod
	claims  []corev1.PersistentVolumeClaim
	touched bool // the world has changed it
}

func (w *world) look() *scene {
	w.t.Helper()
	var sets appsv1.StatefulSetList
	var pods corev1.PodList
	var claims corev1.PersistentVolumeClaimList
	for _, list := range []client.ObjectList{&sets, &pods, &claims} {
		w.must(w.c.List(w.ctx, list, client.InNamespace(w.ns)))
	}
	return &scene{sets: sets.Items, pods: pods.Items, claims: claims.Items}
}

func (w *world) lookAgain(s *scene) *scene {
	w.t.Helper()
	if !s.touched {
		return s
	}
	return w.look()
}

func (s *scene) hasPod(name string) bool {
	return slices.ContainsFunc(s.pods, func(p corev1.Pod) bool { return p.Name == name })
}

func (s *scene) claim(name string) *corev1.PersistentVolumeClaim {
	for i := range s.claims {
		if s.claims[i].Name == name {
			return &s.claims[i]
		}
	}
	return nil
}

// step does once what is to be done by the StatefulSet controller and the kubelets.
func (w *world) step() {
	w.t.Helper()
	s := w.look()
	for i := range s.sets {
		w.stepSet(s, &s.sets[i])
	}
	s = w.lookAgain(s)
	w.collectGarbage(s)
	s = w.lookAgain(s)
	w.stepClaims(s.claims)
	w.signCertificates()
	w.mountFiles()
	w.mu.Lock()
	w.stepGroup()
	w.elect()
	w.mu.Unlock()
	for i := range s.pods {
		w.stepPod(&s.pods[i])
	}
}

// collectGarbage ends the pods of StatefulSets that are gone, and lets go of claims that
// nobody uses.
func (w *world) collectGarbage(s *scene) {
	w.t.Helper()
	owned := map[types.UID]bool{}
	for i := range s.sets {
		owned[s.sets[i].UID] = true
	}
	used := map[string]bool{}
	for i := range s.pods {
		pod := &s.pods[i]
		if _, ours := pod.Labels[v1alpha1.LabelMember]; !ours {
			continue
		}
		if owner := metav1.GetControllerOf(pod); owner != nil && !owned[owner.UID] {
			w.orphan(s, pod)
			continue
		}
		if pod.DeletionTimestamp != nil {
			w.endPod(s, pod)
		}
		used[v1alpha1.VolumeName+"-"+pod.Name] = true
	}
	for i := range s.claims {
		claim := &s.claims[i]
		if claim.DeletionTimestamp != nil && !used[claim.Name] && len(claim.Finalizers) > 0 {
			s.touched = true
			claim.Finalizers = nil
			w.must(client.IgnoreNotFound(w.c.Update(w.ctx, claim)))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchVolumes(s.claims)
}

// orphan ends a pod whose StatefulSet is gone, and its node.
func (w *world) orphan(s *scene, pod *corev1.Pod) {
	w.t.Helper()
	if pod.DeletionTimestamp == nil {
		s.touched = true
		w.must(client.IgnoreNotFound(w.c.Delete(w.ctx, pod)))
	}
	w.mu.Lock()
	delete(w.nodes, pod.Name)
	w.mu.Unlock()
	w.endPod(s, pod)
}

func (w *world) stepSet(s *scene, set *appsv1.StatefulSet) {
	w.t.Helper()
	if set.Status.ObservedGeneration != set.Generation {
		set.Status.ObservedGeneration = set.Generation
		if err := w.c.Status().Update(w.ctx, set); !apierrors.IsConflict(err) {
			w.must(err)
		}
	}
	name := set.Name + "-0"
	if *set.Spec.Replicas == 0 {
		w.stop(s, name)
		return
	}
	template := &set.Spec.VolumeClaimTemplates[0]
	claim := s.claim(template.Name + "-" + name)
	if claim == nil {
		s.touched = true
		claim = template.DeepCopy()
		claim.Name, claim.Namespace = claim.Name+"-"+name, w.ns
		w.must(w.c.Create(w.ctx, claim))
	}
	if s.hasPod(name) || w.withoutVolume(claim) { // then the scheduler finds no place for it
		return
	}
	s.touched = true
	pod := &corev1.Pod{ObjectMeta: *set.Spec.Template.ObjectMeta.DeepCopy(), Spec: *set.Spec.Template.Spec.DeepCopy()}
	pod.Name, pod.Namespace = name, w.ns
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))}
	// No such plug-in in this API server, and the model mounts nothing.
	pod.Spec.ServiceAccountName, pod.Spec.Containers[0].VolumeMounts = "", nil
	if w.placed {
		pod.Spec.NodeName = w.machine(name)
	}
	w.must(w.c.Create(w.ctx, pod))
	w.start(pod, claim.UID)
}

// start runs a node for a pod.
func (w *world) start(pod *corev1.Pod, claim types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pod.Spec.Containers[0].Image == w.bad {
		w.nodes[pod.Name] = nil
		return
	}
	v := w.volumes[claim]
	if v == nil {
		v = &volume{incarnation: fmt.Sprintf("%016x", len(w.volumes)+1)}
		w.volumes[claim] = v
	}
	n := &node{pod: pod.UID, volume: v, up: w.now.Add(w.boot), secret: mountedSecret(pod)}
	for _, arg := range pod.Spec.Containers[0].Args {
		key, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch key {
		case "name":
			n.status.Name = value
		case "cluster-id":
			n.status.ClusterID = value
		case "member-id":
			_, err := fmt.Sscan(value, &n.id)
			w.must(err)
		case "initial-members":
			for _, member := range strings.Split(value, ",") {
				var id uint64
				_, err := fmt.Sscanf(member, "%d=", &id)
				w.must(err)
				n.founders = append(n.founders, id)
			}
		}
	}
	n.claim = claim
	n.status.MemberID, n.status.Incarnation, n.status.Version = n.id, v.incarnation, pod.Spec.Containers[0].Image
	w.nodes[pod.Name] = n
}

// stop ends a pod, if there is one, and its node.
func (w *world) stop(s *scene, name string) {
	w.t.Helper()
	if s.hasPod(name) {
		s.touched = true
		w.must(client.IgnoreNotFound(w.c.Delete(w.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.ns}})))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[name] = nil
}

// acting tells whether a node takes part in Raft.
func (w *world) acting(name string) bool {
	n := w.nodes[name]
	return n != nil && !w.failed[name] && !w.now.Before(n.up) && n.volume.damage == nil && w.takesPart(n)
}

// elect keeps a leader as long as it acts, and finds another one when a quorum acts.
func (w *world) elect() {
	acting := w.acting
	if !acting(w.leader) || !w.votes(w.nodes[w.leader]) {
		w.leader = ""
		n, voters := 0, 0
		for name, x := range w.nodes {
			if acting(name) && w.votes(x) {
				n++
				voters = len(w.groups[x.status.ClusterID].Members)
				for _, m := range w.groups[x.status.ClusterID].Members {
					if m.Suffrage == nodeapi.SuffrageLearner {
						voters--
					}
				}
				if w.leader == "" || name < w.leader {
					w.leader = name
				}
			}
		}
		if n < voters/2+1 {
			w.leader = ""
		} else {
			w.term++
		}
	}
	for name, n := range w.nodes {
		if n != nil {
			n.refresh(w, name)
		}
	}
}

func (n *node) refresh(w *world, name string) {
	s := &n.status
	s.Term, s.Health, s.AwaitsFounding, s.LeaderID = w.term, n.volume.damage, len(n.founders) > 0 && !n.volume.founded, 0
	s.LastIndex, s.CommitIndex, s.Membership, s.TLS = commitIndex, commitIndex, nil, n.files.told()
	takesPart := w.takesPart(n)
	if g := w.groups[s.ClusterID]; takesPart {
		m := g.Membership
		m.Members = slices.Clone(m.Members)
		s.Membership = &m
	}
	if !takesPart || !w.caughtUp(n) {
		s.LastIndex = 0
	}
	if takesPart && w.votes(n) {
		w.groups[s.ClusterID].volumes[n.id] = n.claim
	}
	switch {
	case n.volume.damage != nil:
		s.Role = nodeapi.RoleFenced
	case !takesPart || !w.votes(n):
		s.Role = nodeapi.RoleLearner
	case name == w.leader:
		s.Role = nodeapi.RoleLeader
	default:
		s.Role = nodeapi.RoleFollower
	}
	if l := w.nodes[w.leader]; l != nil && n.volume.damage == nil && takesPart {
		s.LeaderID = l.id
	}
}

func (w *world) stepPod(pod *corev1.Pod) {
	w.mu.Lock()
	n, now := w.nodes[pod.Name], metav1.NewTime(w.now)
	ready := w.acting(pod.Name) && n.pod == pod.UID && n.status.LeaderID != 0 && w.caughtUp(n)
	w.mu.Unlock()
	status := pod.Status.DeepCopy()
	status.PodIP, status.PodIPs = "10.0.0.1", []corev1.PodIP{{IP: "10.0.0.1"}}
	want := corev1.ConditionFalse
	if ready {
		want = corev1.ConditionTrue
	}
	if len(status.Conditions) == 1 && status.Conditions[0].Status == want {
		return
	}
	status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: want, LastTransitionTime: now}}
	if n == nil {
		status.ContainerStatuses = []corev1.ContainerStatus{{Name: "node", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"},
		}}}
	}
	pod.Status = *status
	if err := w.c.Status().Update(w.ctx, pod); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		w.t.Fatal(err)
	}
}

// --- what nodes do

// ServeHTTP plays the admin endpoint of the node that the request was sent to.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	pod, _, _ := strings.Cut(r.Host, ".")
	n := w.nodes[pod]
	if n == nil || w.failed[pod] || w.now.Before(n.up) {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	n.refresh(w, pod)
	if !n.admits(w, r) {
		http.Error(out, "you are not the operator", http.StatusForbidden)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET " + nodeapi.PathStatusz:
		told := n.status
		if lie := w.lies[pod]; lie != nil {
			lie(&told)
		}
		_ = json.NewEncoder(out).Encode(told)
	case "POST " + nodeapi.PathFound:
		w.found(out, r, n)
	case "POST " + nodeapi.PathTransfer:
		if w.noMoves {
			http.NotFound(out, r)
			return
		}
		w.term++
		for name, other := range w.nodes {
			if other != nil && name != w.leader && w.acting(name) && w.votes(other) {
				w.leader = name
				break
			}
		}
	case "POST " + nodeapi.PathMembers:
		w.changeMembers(out, r, pod, n)
	default:
		http.NotFound(out, r)
	}
}

// found is nodeapi.FoundRequest to the letter.
func (w *world) found(out http.ResponseWriter, r *http.Request, n *node) {
	var req nodeapi.FoundRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	if req != (nodeapi.FoundRequest{ClusterID: n.status.ClusterID, MemberID: n.id, Incarnation: n.volume.incarnation}) {
		http.Error(out, "another volume", http.StatusConflict)
		return
	}
	n.volume.founded = true
	w.foundGroup(n)
}

// damage gives the volume of a member a fault; nil mends it.
func (w *world) damage(pod string, h *nodeapi.Health) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[pod].volume.damage = h
}

// wipe empties the volume of a member while its pod is gone, and starts it again.
func (w *world) wipe(name string, id int64) {
	w.t.Helper()
	pod, claim := &corev1.Pod{}, &corev1.PersistentVolumeClaim{}
	cluster := w.get(name)
	w.must(w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: cluster.PodName(id)}, pod))
	w.must(w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: cluster.ClaimName(id)}, claim))
	w.must(w.c.Delete(w.ctx, pod))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.volumes[claim.UID] = &volume{incarnation: fmt.Sprintf("f%015x", len(w.volumes)+1)}
}

// --- running

// pass steps the world and lets an operator look once.
func (w *world) pass(r *Reconciler, name string) (ctrl.Result, error) {
	w.step()
	w.mu.Lock()
	w.elect()
	w.mu.Unlock()
	return r.Reconcile(w.ctx, ctrl.Request{NamespacedName: types.NamespacedName{Namespace: w.ns, Name: name}})
}

// until lets an operator look until the condition holds; enough passes are a bound that
// a sound operator stays far below.
func (w *world) until(r *Reconciler, name, what string, done func(*v1alpha1.RaftCluster) bool) *v1alpha1.RaftCluster {
	w.t.Helper()
	const enough = 120
	for range enough {
		if _, err := w.pass(r, name); err != nil {
			w.t.Fatalf("reconcile until %s: %v", what, err)
		}
		if cluster := w.get(name); done(cluster) {
			return cluster
		}
		w.advance(time.Second)
	}
	dump, _ := json.MarshalIndent(w.get(name).Status, "", "  ")
	w.t.Fatalf("not %s after %d passes; status %s\nevents:\n%s", what, enough, dump, strings.Join(w.events, "\n"))
	return nil
}

// pod gives a pod, nil for none.
func (w *world) pod(name string) *corev1.Pod {
	w.t.Helper()
	var pod corev1.Pod
	err := w.c.Get(w.ctx, types.NamespacedName{Namespace: w.ns, Name: name}, &pod)
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must(err)
	return &pod
}
