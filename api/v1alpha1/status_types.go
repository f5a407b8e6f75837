package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RaftClusterStatus is what the operator saw, and the few things it must remember:
// clusterID, bootstrapped, replicas, and of each member id, incarnation and restarts.
// Each of those is written before anything is done that rests on it.
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
	// replicas is the number of members of the Raft group.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// readyReplicas is the number of members that serve clients.
	// +optional
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
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
