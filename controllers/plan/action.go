package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
)

// Kind is a kind of action.
type Kind string

// The kinds of actions. The ones that begin with Latch change status only.
const (
	None           Kind = "None"
	LatchCluster   Kind = "LatchCluster"   // remember the group's ID and size
	CreateMember   Kind = "CreateMember"   // create a member's StatefulSet
	LatchFounder   Kind = "LatchFounder"   // remember the incarnation that may act as a member
	MarkClaim      Kind = "MarkClaim"      // write that incarnation on the claim
	Found          Kind = "Found"          // grant it
	LatchBootstrap Kind = "LatchBootstrap" // remember that every member was founded
	ApplyMember    Kind = "ApplyMember"    // give a StatefulSet the wanted pod template
	Transfer       Kind = "Transfer"       // ask the leader to hand over
	LatchRestart   Kind = "LatchRestart"   // count a restart because of a fault
	RestartPod     Kind = "RestartPod"     // delete a pod; its StatefulSet makes a new one
)

// Action is one act. Which fields count depends on the kind.
type Action struct {
	Kind   Kind
	Member int64 // its ID

	Identity    *Identity                // LatchCluster
	Incarnation string                   // LatchFounder, MarkClaim, Found
	Restarts    *v1alpha1.MemberRestarts // LatchRestart
	PodUID      types.UID                // RestartPod: this pod and no other
	MayServe    bool                     // RestartPod: the pod may be ready; every gate held for that
	Why         string                   // for people
}

// Identity is what a group is.
type Identity struct {
	ClusterID    string
	Replicas     int32
	Incarnations map[int64]string // of members that were founded before; empty for a new group
}

// Latches tells whether the action is done by writing status.
func (a *Action) Latches() bool {
	switch a.Kind {
	case LatchCluster, LatchFounder, LatchBootstrap, LatchRestart:
		return true
	}
	return false
}

// Latch writes what the action remembers into status; nothing for other actions.
func (a *Action) Latch(c *v1alpha1.RaftCluster, s *v1alpha1.RaftClusterStatus) {
	switch a.Kind {
	case LatchCluster:
		a.latchCluster(c, s)
	case LatchFounder:
		s.Member(a.Member).Incarnation = a.Incarnation
	case LatchBootstrap:
		s.Bootstrapped = true
	case LatchRestart:
		s.Member(a.Member).Restarts = a.Restarts
	}
}

func (a *Action) latchCluster(c *v1alpha1.RaftCluster, s *v1alpha1.RaftClusterStatus) {
	s.ClusterID = a.Identity.ClusterID
	s.Replicas = a.Identity.Replicas
	s.Bootstrapped = len(a.Identity.Incarnations) > 0
	s.Members = nil
	for id := int64(1); id <= int64(s.Replicas); id++ {
		s.Members = append(s.Members, v1alpha1.MemberStatus{ID: id, Name: c.MemberName(id), Incarnation: a.Identity.Incarnations[id]})
	}
}

// backoff is the time after the count-th restart: initial, doubled each time, at most max.
func backoff(s v1alpha1.BackoffSpec, count int32) time.Duration {
	d := s.Initial.Duration
	for i := int32(1); i < count && d < s.Max.Duration; i++ {
		d *= 2
	}
	return min(d, s.Max.Duration)
}

// countRestart gives what is remembered of one more restart.
func countRestart(before *v1alpha1.MemberRestarts, spec v1alpha1.BackoffSpec, now time.Time, pod types.UID) *v1alpha1.MemberRestarts {
	r := &v1alpha1.MemberRestarts{Count: 1, PodUID: pod}
	if before != nil {
		r.Count = before.Count + 1
	}
	r.LastAt = metav1.NewTime(now).Rfc3339Copy()
	r.NextAt = metav1.NewTime(now.Add(backoff(spec, r.Count))).Rfc3339Copy()
	return r
}
