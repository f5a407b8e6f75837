package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RaftCluster is one Raft group hosted by Kubernetes.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=raftclusters,shortName=raft,scope=Namespaced,categories=all
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`,description="Members that are ready, of all"
// +kubebuilder:printcolumn:name="Leader",type=string,JSONPath=`.status.leader`,description="The member that leads"
// +kubebuilder:printcolumn:name="Term",type=integer,JSONPath=`.status.term`,description="The Raft term"
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].status`,description="Whether a quorum serves writes"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`,description="Version of the node, of all members that answer"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40",message="metadata.name: at most 40 characters, because members, pods and their labels are named after it"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name: must start with a letter and hold only lower-case letters, digits and '-', because Services are named after it"
type RaftCluster struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is wanted. Everything has a default.
	// +kubebuilder:default={}
	// +optional
	Spec RaftClusterSpec `json:"spec,omitempty"`
	// status is what the operator saw and what it must remember.
	// +optional
	Status RaftClusterStatus `json:"status,omitempty"`
}

// RaftClusterList is a list of RaftClusters.
//
// +kubebuilder:object:root=true
type RaftClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RaftCluster `json:"items"`
}
