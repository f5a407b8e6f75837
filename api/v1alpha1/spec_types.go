package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RaftClusterSpec is what is wanted of a cluster.
//
// A default of a struct with CEL rules repeats the defaults of its fields, because the
// API server checks it by those rules before it fills the fields in.
//
// +kubebuilder:validation:XValidation:rule="!has(self.topology) || !(has(self.topology.hosts) && self.topology.hosts == 'Required' || has(self.topology.zones) && self.topology.zones == 'Required') || !has(self.pod) || !has(self.pod.topologySpreadConstraints) || size(self.pod.topologySpreadConstraints) == 0",message="topology: Required does not go with pod.topologySpreadConstraints, which replace it; say everything in one of the two"
type RaftClusterSpec struct {
	// replicas is the number of members, each a voter. An odd number is best: an even one
	// tolerates no more failures than the odd one below it. It may change at any time: members
	// join and leave one at a time.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// image of the node. Without it, the image that the operator was started with.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`
	// imagePullPolicy as in a pod.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	// storage of each member.
	// +kubebuilder:default={size: "1Gi", whenDeleted: Retain, whenRemoved: Delete}
	// +optional
	Storage StorageSpec `json:"storage,omitempty"`
	// raft holds the timing of the protocol.
	// +kubebuilder:default={electionTimeout: "1s", heartbeatInterval: "100ms", snapshotEntries: 100000}
	// +optional
	Raft RaftSpec `json:"raft,omitempty"`
	// updateStrategy says how a changed pod is brought to the members: always to one at a time,
	// followers first and the leader last.
	// +kubebuilder:default={}
	// +optional
	UpdateStrategy UpdateStrategySpec `json:"updateStrategy,omitempty"`
	// recovery says how hard the operator tries to mend a member.
	// +kubebuilder:default={}
	// +optional
	Recovery RecoverySpec `json:"recovery,omitempty"`
	// topology says how far apart the members run.
	// +kubebuilder:default={hosts: Preferred, zones: Preferred}
	// +optional
	Topology TopologySpec `json:"topology,omitempty"`
	// pod shapes the members' pods.
	// +kubebuilder:default={}
	// +optional
	Pod PodSpec `json:"pod,omitempty"`
	// tls says who speaks TLS with whose certificates.
	// +kubebuilder:default={mode: Managed, clients: {}, caDuration: "87600h", leafDuration: "2160h"}
	// +optional
	TLS TLSSpec `json:"tls,omitempty"`
	// paused makes the operator report only: it creates, changes, restarts and deletes nothing.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// hibernated takes the pods of all members away, at once; volumes and the identity of the
	// group stay. Unset, all members come back with all data. While paused is set, nothing happens.
	// +optional
	Hibernated bool `json:"hibernated,omitempty"`
}

// WhenDeleted says what becomes of the volumes when the RaftCluster is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type WhenDeleted string

// The values of WhenDeleted.
const (
	RetainVolumes WhenDeleted = "Retain" // they stay, and a new RaftCluster of that name takes them up again
	DeleteVolumes WhenDeleted = "Delete" // they go with it
)

// WhenRemoved says what becomes of the volume of a member that was removed.
// +kubebuilder:validation:Enum=Retain;Delete
type WhenRemoved string

// The values of WhenRemoved.
const (
	RetainRemoved WhenRemoved = "Retain" // it stays, marked as removed: nothing takes it up again
	DeleteRemoved WhenRemoved = "Delete" // it goes with its member
)

// StorageSpec is the volume of each member.
//
// +kubebuilder:validation:XValidation:rule="quantity(string(self.size)).compareTo(quantity('64Mi')) >= 0",messageExpression="'storage.size: ' + string(self.size) + ' is too small for a log; at least 64Mi is needed'"
// +kubebuilder:validation:XValidation:rule="quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",messageExpression="'storage.size: cannot shrink from ' + string(oldSelf.size) + ' to ' + string(self.size) + '; a volume only grows, so keep the size or create a new cluster'"
type StorageSpec struct {
	// size of each member's volume; it never shrinks. Volumes grow where their class allows it; else
	// members are replaced by new ones on larger volumes, one at a time.
	// +kubebuilder:default="1Gi"
	// +optional
	Size resource.Quantity `json:"size,omitempty"`
	// storageClassName of the volumes. It may change: members whose volume has another class are
	// replaced by new ones, one at a time. Without it, new volumes get the default class, and the
	// others stay as they are.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`
	// whenDeleted says whether the volumes stay (Retain) or go (Delete) with the RaftCluster.
	// +kubebuilder:default=Retain
	// +optional
	WhenDeleted WhenDeleted `json:"whenDeleted,omitempty"`
	// whenRemoved says whether the volume of a member that was removed, because replicas was
	// lowered or another member took its place, stays (Retain) or goes (Delete). Its member
	// never comes back either way.
	// +kubebuilder:default=Delete
	// +optional
	WhenRemoved WhenRemoved `json:"whenRemoved,omitempty"`
}

// RaftSpec is the timing of the protocol.
//
// +kubebuilder:validation:XValidation:rule="duration(self.heartbeatInterval) >= duration('10ms')",messageExpression="'raft.heartbeatInterval: ' + self.heartbeatInterval + ' is too short; at least 10ms'"
// +kubebuilder:validation:XValidation:rule="duration(self.electionTimeout) <= duration('60s')",messageExpression="'raft.electionTimeout: ' + self.electionTimeout + ' is too long; at most 60s'"
// +kubebuilder:validation:XValidation:rule="duration(self.heartbeatInterval) < duration(self.electionTimeout)",messageExpression="'raft.heartbeatInterval: ' + self.heartbeatInterval + ' must be less than raft.electionTimeout ' + self.electionTimeout + '; a tenth of it is usual'"
type RaftSpec struct {
	// electionTimeout is how long a follower waits for its leader before it stands for election.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m))+$`
	// +kubebuilder:default="1s"
	// +optional
	ElectionTimeout metav1.Duration `json:"electionTimeout,omitempty,omitzero"`
	// heartbeatInterval is how often a leader is heard from when there is nothing to replicate.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m))+$`
	// +kubebuilder:default="100ms"
	// +optional
	HeartbeatInterval metav1.Duration `json:"heartbeatInterval,omitempty,omitzero"`
	// snapshotEntries is how many applied entries the log keeps before a snapshot replaces them.
	// +kubebuilder:default=100000
	// +kubebuilder:validation:Minimum=1000
	// +kubebuilder:validation:Maximum=100000000
	// +optional
	SnapshotEntries int64 `json:"snapshotEntries,omitempty"`
}

// UpdateStrategySpec says how a changed pod is brought to the members.
type UpdateStrategySpec struct {
	// minReadySeconds is how long a changed member must have been ready before the next one is
	// changed, as in a StatefulSet: a node that fails soon after its start stops the roll-out.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	// +optional
	MinReadySeconds *int32 `json:"minReadySeconds,omitempty"`
}

// RecoverySpec says how hard the operator tries to mend a member.
type RecoverySpec struct {
	// maxRestarts is how often the pod of a member with an unrecoverable fault is restarted
	// before the operator stops restarting it. 0: never.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxRestarts *int32 `json:"maxRestarts,omitempty"`
	// backoff between restarts.
	// +kubebuilder:default={initial: "10s", max: "5m"}
	// +optional
	Backoff BackoffSpec `json:"backoff,omitempty"`
	// resetAfter is how long a member must have been well for its restarts to be forgotten.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:default="10m"
	// +optional
	ResetAfter metav1.Duration `json:"resetAfter,omitempty,omitzero"`
	// maxReplacements is how many members may be replaced before the operator gives up; they
	// are forgotten when all members have been well for resetAfter. 0: never.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxReplacements *int32 `json:"maxReplacements,omitempty"`
	// nodeLostAfter is how long the Kubernetes node of a member must have been gone, or not
	// ready, for the member's volume to count as lost with it. 0s: it never does.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:default="15m"
	// +optional
	NodeLostAfter metav1.Duration `json:"nodeLostAfter,omitempty,omitzero"`
}

// BackoffSpec is the time between two restarts of a member: initial after the first,
// doubled after each further one, at most max.
//
// +kubebuilder:validation:XValidation:rule="duration(self.initial) <= duration(self.max)",messageExpression="'recovery.backoff.initial: ' + self.initial + ' must not exceed recovery.backoff.max ' + self.max"
type BackoffSpec struct {
	// initial is the time after the first restart.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:default="10s"
	// +optional
	Initial metav1.Duration `json:"initial,omitempty,omitzero"`
	// max is the longest time.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
	// +kubebuilder:default="5m"
	// +optional
	Max metav1.Duration `json:"max,omitempty,omitzero"`
}

// PodSpec shapes the members' pods. The meaning of each field is that of a pod's.
//
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || self.labels.all(k, !k.startsWith('quorate.dev/'))",message="pod.labels: keys under quorate.dev/ belong to the operator; use another prefix"
// +kubebuilder:validation:XValidation:rule="!has(self.annotations) || self.annotations.all(k, !k.startsWith('quorate.dev/'))",message="pod.annotations: keys under quorate.dev/ belong to the operator; use another prefix"
type PodSpec struct {
	// resources of the node's container.
	// +optional
	Resources corev1.ResourceRequirements `json:"resources,omitempty"`
	// nodeSelector that Kubernetes nodes must match.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// affinity to nodes and to other pods.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
	// tolerations of taints.
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// topologySpreadConstraints of the pods, in place of what spec.topology asks for.
	// +listType=atomic
	// +optional
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	// priorityClassName of the pods.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// imagePullSecrets for the image.
	// +listType=atomic
	// +optional
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets,omitempty"`
	// labels of the pods, besides the operator's.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// annotations of the pods, besides the operator's.
	// +kubebuilder:validation:MaxProperties=64
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
}
