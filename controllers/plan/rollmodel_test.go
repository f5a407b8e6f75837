package plan

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/controllers/observe"
	"github.com/quorate/quorate/controllers/observe/observetest"
	"github.com/quorate/quorate/node/nodeapi"
)

// A model of a group whose pod is changed again and again, for the better and for the
// worse, while hosts come and go: the plan's rules act on it, one pass at a time.

// lives is how many lives of each kind of group are played; more find more.
var lives = flag.Uint64("plan.lives", 60, "lives of groups that TestBrokenChangesNeverCostTheQuorum plays")

// how tells how a template is broken; "" for one that is good.
type how string

const (
	good    how = ""
	pull    how = "ErrImagePull"     // the image cannot be had
	crash   how = "CrashLoopBackOff" // the node ends at once
	hang    how = "hangs"            // the node starts and says nothing
	useless how = "useless"          // the node answers and never gets ready
)

type modelMember struct {
	id        int64
	set, pod  string // template; pod empty: none at the moment
	seen      bool   // Kubernetes has seen the set's last change
	away      bool   // its host is
	podNumber int
	since     time.Time // of ready, or of not ready
	ready     bool
}

type model struct {
	t       *testing.T
	r       *rand.Rand
	now     time.Time
	kinds   map[string]how // of each template there was
	want    string
	leader  int64
	members []*modelMember
	status  v1alpha1.RaftClusterStatus
	log     []string
}

func newModel(t *testing.T, n int, seed uint64) *model {
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, uint64(n))), now: observetest.Epoch, kinds: map[string]how{"t0": good}, want: "t0"}
	m.status = v1alpha1.RaftClusterStatus{ClusterID: "abc", Bootstrapped: true, Replicas: int32(n)}
	for id := int64(1); id <= int64(n); id++ {
		m.members = append(m.members, &modelMember{id: id, set: "t0", pod: "t0", seen: true, since: m.now})
		m.status.Members = append(m.status.Members, v1alpha1.MemberStatus{ID: id, Incarnation: "i"})
	}
	return m
}

func (m *model) say(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// acts tells whether a member takes part in Raft.
func (m *model) acts(x *modelMember) bool {
	return !x.away && x.pod != "" && m.kinds[x.pod] == good
}

func (m *model) quorum() int { return len(m.members)/2 + 1 }

// acting counts the members that take part, but for one; 0: for none.
func (m *model) acting(but int64) int {
	n := 0
	for _, x := range m.members {
		if m.acts(x) && x.id != but {
			n++
		}
	}
	return n
}

// raft elects a leader when there is none and a quorum, and tells who is ready.
func (m *model) raft() {
	if m.leader != 0 && (!m.acts(m.members[m.leader-1]) || m.acting(0) < m.quorum()) {
		m.leader = 0
	} else if m.leader == 0 && m.acting(0) >= m.quorum() && m.r.IntN(2) == 0 {
		for _, x := range m.members {
			if m.acts(x) && (m.leader == 0 || m.r.IntN(2) == 0) {
				m.leader = x.id
			}
		}
	}
	for _, x := range m.members {
		if ready := m.acts(x) && m.leader != 0; ready != x.ready {
			x.ready, x.since = ready, m.now
		}
	}
}

// happens lets something happen that is not the operator's doing.
func (m *model) happens(hosts bool) {
	x := m.members[m.r.IntN(len(m.members))]
	switch m.r.IntN(12) {
	case 0: // somebody changes the spec, or takes a change back
		m.want = fmt.Sprint("t", len(m.kinds))
		m.kinds[m.want] = []how{good, pull, crash, hang, useless}[m.r.IntN(5)]
		m.say("wanted: %s %s", m.want, m.kinds[m.want])
	case 1:
		m.want = fmt.Sprint("t", m.r.IntN(len(m.kinds)))
		m.say("wanted: %s %s", m.want, m.kinds[m.want])
	case 2:
		if hosts {
			x.away = !x.away
			m.say("host of %d away: %t", x.id, x.away)
		}
	case 3:
		if hosts {
			x.pod = ""
			m.say("pod of %d goes", x.id)
		}
	case 4:
		m.leader = 0
		m.say("election")
	}
	for _, x := range m.members {
		if x.pod == "" && !x.away && m.r.IntN(2) == 0 {
			x.pod, x.podNumber, x.since = x.set, x.podNumber+1, m.now
		}
		x.seen = x.seen || m.r.IntN(2) == 0
	}
	m.now = m.now.Add(time.Duration(m.r.IntN(40)) * time.Second)
}

// observed is the picture of the model.
func (m *model) observed() *observe.Observed {
	c := &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}
	none := int32(0)
	c.Spec.Replicas, c.Spec.Recovery.MaxRestarts = int32(len(m.members)), &none
	c.Status = *m.status.DeepCopy()
	o := &observe.Observed{Now: m.now, Cluster: c}
	for _, x := range m.members {
		o.Members = append(o.Members, m.picture(c, x))
	}
	return o
}

func (m *model) picture(c *v1alpha1.RaftCluster, x *modelMember) observe.Member {
	out := observe.Member{ID: x.id, Name: c.MemberName(x.id), Latched: *c.Status.Member(x.id), Set: &appsv1.StatefulSet{}}
	out.Set.Annotations = map[string]string{v1alpha1.AnnotationTemplateHash: x.set}
	if !x.seen {
		out.Set.Generation = 1
	}
	if x.pod == "" {
		return out
	}
	out.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(x.id, "/", x.podNumber))}}
	out.Pod.Annotations = map[string]string{v1alpha1.AnnotationTemplateHash: x.pod}
	ready := corev1.ConditionFalse
	if x.ready {
		ready = corev1.ConditionTrue
	}
	out.Pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(x.since)}}
	kind := m.kinds[x.pod]
	if !x.away && (kind == pull || kind == crash) {
		out.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			RestartCount: 5, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: string(kind)}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
		}}
	}
	if !x.away && (kind == good || kind == useless) {
		out.Status = &nodeapi.Status{MemberID: uint64(x.id), Incarnation: "i", Role: nodeapi.RoleFollower}
		if kind == good {
			out.Status.LeaderID = uint64(m.leader)
		}
		if m.leader == x.id {
			out.Status.Role = nodeapi.RoleLeader
		}
	}
	return out
}

// pass lets the plan decide on an old picture or a present one, and does what it says.
func (m *model) pass() {
	o := m.observed()
	want := Wanted{Templates: map[int64]string{}}
	for _, x := range m.members {
		want.Templates[x.id] = m.want
	}
	d := Next(o, want)
	a := d.Action
	if a.Kind != None {
		m.say("%s %d: %s", a.Kind, a.Member, d.Progress.Message)
	}
	if !d.Leaderless {
		m.status.LeaderlessSince = nil
	} else if m.status.LeaderlessSince == nil {
		m.status.LeaderlessSince = &metav1.Time{Time: m.now}
	}
	if a.Latches() {
		a.Latch(o.Cluster, &m.status)
		return
	}
	if a.Kind == None {
		return
	}
	x := m.members[a.Member-1]
	switch a.Kind {
	case ApplyMember:
		x.set, x.seen = m.want, false
	case RestartPod:
		m.restarted(x)
		x.pod = ""
	case Transfer:
		m.leader = 0
		for _, y := range m.members {
			if m.acts(y) && y.id != x.id {
				m.leader = y.id
			}
		}
	default:
		m.fail("the plan does %s", a.Kind)
	}
}

// restarted checks that a pod may be deleted: while writes are served, one that takes part only
// if the others are a quorum, where a group of that size can be.
func (m *model) restarted(x *modelMember) {
	if n := len(m.members); n > 2 && m.acts(x) && m.leader != 0 && m.acting(x.id) < m.quorum() {
		m.fail("the pod of %d is deleted, and the quorum with it", x.id)
	}
}

// check wants at most one member to have what is broken, whatever was wanted. Groups of one and
// two have no quorum without one anyhow.
func (m *model) check() {
	if len(m.members) < 3 {
		return
	}
	var has []int64
	for _, x := range m.members {
		if m.kinds[x.set] != good || m.kinds[x.pod] != good && x.pod != "" {
			has = append(has, x.id)
		}
	}
	if len(has) > 1 {
		m.fail("members %v have what is broken", has)
	}
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(m.log, "\n"))
}

// TestBrokenChangesNeverCostTheQuorum plays many lives of groups of one to five
// members. Whatever is wanted one after the other, at most one member has something broken; no
// pod is deleted that the quorum needs; and in the end a good change reaches every member.
func TestBrokenChangesNeverCostTheQuorum(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, hosts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d members, hosts go away: %t", n, hosts), func(t *testing.T) {
				for seed := range *lives {
					m := newModel(t, n, seed)
					m.say("seed %d", seed)
					for range 150 {
						m.happens(hosts)
						m.raft()
						m.pass()
						m.check()
					}
					m.settles()
				}
			})
		}
	}
}

// settles brings the hosts back and wants what is good: it reaches all.
func (m *model) settles() {
	m.want = "t0"
	m.say("wanted in the end: t0")
	for range 400 {
		done := true
		for _, x := range m.members {
			x.away = false
			done = done && x.ready && x.pod == m.want && x.set == m.want
			if x.pod == "" {
				x.pod, x.podNumber, x.since = x.set, x.podNumber+1, m.now
			}
			x.seen = true
		}
		if done && m.status.Canary == 0 {
			return
		}
		m.now = m.now.Add(10 * time.Second)
		m.raft()
		m.pass()
		m.check()
	}
	m.fail("it never settles: %+v", m.status)
}
