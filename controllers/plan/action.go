package plan

import (
	"slices"
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
	AdoptMember    Kind = "AdoptMember"    // take over a StatefulSet that nobody controls
	LatchFounder   Kind = "LatchFounder"   // remember the incarnation that may act as a member
	MarkClaim      Kind = "MarkClaim"      // write on a claim what must be known when status is gone
	Found          Kind = "Found"          // grant it
	LatchBootstrap Kind = "LatchBootstrap" // remember that every member was founded
	ApplyMember    Kind = "ApplyMember"    // give a StatefulSet the wanted pod template
	Transfer       Kind = "Transfer"       // ask the leader to hand over
	LatchCanary    Kind = "LatchCanary"    // remember the member on which a change is tried; 0: none
	LatchRestart   Kind = "LatchRestart"   // count a restart because of a fault
	RestartPod     Kind = "RestartPod"     // delete a pod; its StatefulSet makes a new one
	StopMembers    Kind = "StopMembers"    // scale all StatefulSets to 0
	StartMembers   Kind = "StartMembers"   // scale those at 0 to 1, all at once

	// The kinds that change who is a member.
	LatchChange  Kind = "LatchChange"  // remember a change of the membership, or its next step
	LatchDone    Kind = "LatchDone"    // remember that it is done; a member that has left is forgotten
	AddMember    Kind = "AddMember"    // ask the leader to take a learner in
	ChangeVoters Kind = "ChangeVoters" // ask the leader to give a learner a vote, to take a member out, or both in one step
	DeleteSet    Kind = "DeleteSet"    // delete the StatefulSet of a member that has left
	DropPod      Kind = "DropPod"      // delete the pod of a member that has left without waiting for its node
	DeleteClaim  Kind = "DeleteClaim"  // delete the claim of a member that has left
	DeleteKeys   Kind = "DeleteKeys"   // delete the certificate of a member that has left
)

// Action is one act. Which fields count depends on the kind.
type Action struct {
	Kind   Kind
	Member int64 // its ID

	Identity    *Identity                // LatchCluster
	Incarnation string                   // LatchFounder, Found, AddMember
	Restarts    *v1alpha1.MemberRestarts // LatchRestart
	PodUID      types.UID                // RestartPod: this pod and no other
	MayServe    bool                     // RestartPod: the pod may be ready; every gate held for that

	Change       *v1alpha1.MembershipChange // LatchChange
	Replacements *v1alpha1.Replacements     // LatchChange: counted with it; nil: not
	Promote      int64                      // ChangeVoters: 0, none
	Remove       int64                      // ChangeVoters: 0, none
	UID          types.UID                  // DeleteSet, DropPod, DeleteClaim, DeleteKeys: this object and no other

	Why string // for people
}

// Identity is what a group is.
type Identity struct {
	ClusterID    string
	Founders     int32            // the group is founded with the IDs from 1 to this
	Members      []int64          // IDs, ascending
	Highest      int64            // ID that a member ever had, as far as volumes tell
	Incarnations map[int64]string // of members that were founded before; empty for a new group
}

// Latches tells whether the action is done by writing status.
func (a *Action) Latches() bool {
	switch a.Kind {
	case LatchCluster, LatchFounder, LatchBootstrap, LatchCanary, LatchRestart, LatchChange, LatchDone:
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
	case LatchCanary:
		s.Canary = a.Member
	case LatchRestart:
		s.Member(a.Member).Restarts = a.Restarts
	case LatchChange:
		a.latchChange(c, s)
	case LatchDone:
		s.Members = slices.DeleteFunc(s.Members, func(m v1alpha1.MemberStatus) bool { return m.ID == a.Member })
		s.Change = nil
	}
}

// latchChange remembers a change. The ID of a member that joins is given here, for good. One that
// leaves and was forgotten is remembered again, until nothing of it is left.
func (a *Action) latchChange(c *v1alpha1.RaftCluster, s *v1alpha1.RaftClusterStatus) {
	for _, id := range []int64{a.Change.Joining, a.Change.Leaving} {
		if id != 0 && s.Member(id) == nil {
			s.Members = append(s.Members, v1alpha1.MemberStatus{ID: id, Name: c.MemberName(id)})
			s.HighestMemberID = max(s.HighestMemberID, id)
		}
	}
	if a.Replacements != nil {
		s.Replacements = a.Replacements
	}
	s.Change = a.Change
}

// Same tells whether another action does the same thing to the same things.
func (a *Action) Same(b *Action) bool {
	return a.Kind == b.Kind && a.Member == b.Member && a.Incarnation == b.Incarnation &&
		a.Promote == b.Promote && a.Remove == b.Remove && a.UID == b.UID && a.PodUID == b.PodUID
}

func (a *Action) latchCluster(c *v1alpha1.RaftCluster, s *v1alpha1.RaftClusterStatus) {
	s.ClusterID = a.Identity.ClusterID
	s.FoundingReplicas = a.Identity.Founders
	s.HighestMemberID = a.Identity.Highest
	s.Bootstrapped = len(a.Identity.Incarnations) > 0
	s.Members = nil
	for _, id := range a.Identity.Members {
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
