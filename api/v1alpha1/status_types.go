package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RaftClusterStatus is what the operator saw, and the few things it must remember:
// clusterID, bootstrapped, foundingReplicas, highestMemberID, change, replacements, canary,
// and of each member id, incarnation and restarts. Each of those is written before anything
// is done that rests on it.
type RaftClusterStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// clusterID names the Raft group for good. It is drawn once, before anything is created.
	// +optional
	ClusterID string `json:"clusterID,omitempty"`
	// bootstrapped tells that every member was founded. From then on no empty volume may take part.
	// +optional
	Bootstrapped bool `json:"bootstrapped,omitempty"`
	// replicas is the number of members that are to stay: one that joins counts, one that
	// leaves does not.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// foundingReplicas is the number of members that the group was founded with, under the IDs
	// from 1 on.
	// +optional
	FoundingReplicas int32 `json:"foundingReplicas,omitempty"`
	// highestMemberID is the highest ID that a member ever had. None up to it is given again.
	// +optional
	HighestMemberID int64 `json:"highestMemberID,omitempty"`
	// change of the membership that is under way; there is never more than one.
	// +optional
	Change *MembershipChange `json:"change,omitempty"`
	// replacements of members because of faults.
	// +optional
	Replacements *Replacements `json:"replacements,omitempty"`
	// readyReplicas is the number of members that serve clients.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
	// updatedReplicas is the number of members whose pod is as the spec wants it.
	// +optional
	UpdatedReplicas int32 `json:"updatedReplicas,omitempty"`
	// ready is readyReplicas/replicas, for people.
	// +optional
	Ready string `json:"ready,omitempty"`
	// leader is the name of the member that leads.
	// +optional
	Leader string `json:"leader,omitempty"`
	// term is the highest Raft term that a member told.
	// +optional
	Term int64 `json:"term,omitempty"`
	// version of the node; several, joined by commas, during an upgrade.
	// +optional
	Version string `json:"version,omitempty"`
	// selector of the pods, for the scale subresource.
	// +optional
	Selector string `json:"selector,omitempty"`
	// canary is the ID of the member on which a change of the pod is being tried: it is written
	// before the member gets the change, and no other one does until one is seen to run with it.
	// +optional
	Canary int64 `json:"canary,omitempty"`
	// leaderlessSince is when it was first seen that there is no leader though enough members
	// answer; empty while it is not so.
	// +optional
	LeaderlessSince *metav1.Time `json:"leaderlessSince,omitempty"`
	// members of the group, by ID.
	// +listType=map
	// +listMapKey=id
	// +optional
	Members []MemberStatus `json:"members,omitempty"`
	// conditions are Available, Progressing, Degraded, MembersHealthy, BootstrapComplete, DataLossPossible.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// MemberStatus is one member of the group.
type MemberStatus struct {
	// id of the member in the group; never used twice.
	// +kubebuilder:validation:Minimum=1
	// +required
	ID int64 `json:"id,omitempty"`
	// name of the member and of its StatefulSet.
	// +kubebuilder:validation:MinLength=1
	// +required
	Name string `json:"name,omitempty"`
	// role that the member told last: Leader, Follower, Candidate, Learner or Fenced; empty while it does not answer.
	// +optional
	Role string `json:"role,omitempty"`
	// ready tells whether it serves clients.
	// +optional
	Ready bool `json:"ready,omitempty"`
	// incarnation of the volume that was founded as this member. It is written once, before
	// the member is told to found, and no other volume ever acts under this ID.
	// +optional
	Incarnation string `json:"incarnation,omitempty"`
	// fault that the member suffers from.
	// +optional
	Fault *MemberFault `json:"fault,omitempty"`
	// restarts of the pod because of faults.
	// +optional
	Restarts *MemberRestarts `json:"restarts,omitempty"`
}

// ChangeKind says what a change of the membership is for.
// +kubebuilder:validation:Enum=ScaleUp;ScaleDown;Replace;Move;Abandon
type ChangeKind string

// The kinds of changes.
const (
	ChangeScaleUp   ChangeKind = "ScaleUp"   // a member joins
	ChangeScaleDown ChangeKind = "ScaleDown" // a member leaves
	ChangeReplace   ChangeKind = "Replace"   // a member joins and takes the place of another
	ChangeMove      ChangeKind = "Move"      // a member on another volume joins and takes the place of one that is well
	ChangeAbandon   ChangeKind = "Abandon"   // a member that was to join is taken away before it has a vote
)

// ChangeStep says what a change of the membership is doing.
// +kubebuilder:validation:Enum=Adding;Promoting;Removing;CleaningUp
type ChangeStep string

// The steps, in their order. A change has those that it needs.
const (
	StepAdding     ChangeStep = "Adding"     // the joining member is created and becomes a learner
	StepPromoting  ChangeStep = "Promoting"  // it catches up and becomes a voter
	StepRemoving   ChangeStep = "Removing"   // the leaving member is taken out of the group
	StepCleaningUp ChangeStep = "CleaningUp" // it is out; its objects are deleted
)

// MembershipChange is a change of the group's members that is under way.
type MembershipChange struct {
	// kind is ScaleUp, ScaleDown, Replace, Move or Abandon.
	// +required
	Kind ChangeKind `json:"kind,omitempty"`
	// step is Adding, Promoting, Removing or CleaningUp.
	// +required
	Step ChangeStep `json:"step,omitempty"`
	// joining is the ID of the member that joins; absent: none does.
	// +optional
	Joining int64 `json:"joining,omitempty"`
	// leaving is the ID of the member that leaves; absent: none does.
	// +optional
	Leaving int64 `json:"leaving,omitempty"`
	// reason is why, in one word: Replicas, StorageChange, or the kind of a fault.
	// +optional
	Reason string `json:"reason,omitempty"`
	// startedAt is when it began.
	// +optional
	StartedAt metav1.Time `json:"startedAt,omitempty,omitzero"`
}

// Replacements counts the members that were replaced because of faults.
type Replacements struct {
	// count since all members were last well for recovery.resetAfter. It is written before
	// the replacement begins.
	// +kubebuilder:validation:Minimum=1
	// +required
	Count int32 `json:"count,omitempty"`
	// lastAt is when the last one began.
	// +optional
	LastAt metav1.Time `json:"lastAt,omitempty,omitzero"`
}

// MemberFault is what a member suffers from.
type MemberFault struct {
	// kind of the fault, such as LogCorrupt.
	// +kubebuilder:validation:MinLength=1
	// +required
	Kind string `json:"kind,omitempty"`
	// remedy is Restart, RepairFromPeers, ReplaceMember, FreeSpace or Operator (a person).
	// +kubebuilder:validation:MinLength=1
	// +required
	Remedy string `json:"remedy,omitempty"`
	// message of the member.
	// +optional
	Message string `json:"message,omitempty"`
	// fenced tells that the member takes no part in the group because of it.
	// +optional
	Fenced bool `json:"fenced,omitempty"`
	// since when.
	// +optional
	Since metav1.Time `json:"since,omitempty,omitzero"`
}

// MemberRestarts counts the restarts of a member's pod.
type MemberRestarts struct {
	// count since the member was last well for recovery.resetAfter. It is written before the restart.
	// +kubebuilder:validation:Minimum=1
	// +required
	Count int32 `json:"count,omitempty"`
	// lastAt is the time of the last one.
	// +optional
	LastAt metav1.Time `json:"lastAt,omitempty,omitzero"`
	// nextAt is the earliest time of the next one.
	// +optional
	NextAt metav1.Time `json:"nextAt,omitempty,omitzero"`
	// podUID is the pod that was counted. While that pod exists, the restart is still to be done.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=1
	// +required
	PodUID types.UID `json:"podUID,omitempty"`
}
