package v1alpha1

// Labels on every object of a cluster. They are a contract; the role of a member is
// not among them, because it changes too often.
const (
	LabelCluster = "quorate.dev/cluster" // name of the RaftCluster
	LabelMember  = "quorate.dev/member"  // the member's ID in decimal; only on objects of one member
)

// Annotations that the operator writes.
const (
	// AnnotationSpecHash, on each object, is a hash of what the operator wants of it.
	// It makes a field that is no longer wanted visible.
	AnnotationSpecHash = "quorate.dev/spec-hash"
	// AnnotationTemplateHash, on a member's StatefulSet and its pod, is a hash of the
	// pod that is wanted: a pod with another one is outdated.
	AnnotationTemplateHash = "quorate.dev/template-hash"
	// AnnotationClusterID, on a member's StatefulSet and claim, is the ID of the Raft
	// cluster that the volume was made for. It outlives the RaftCluster where volumes
	// are retained.
	AnnotationClusterID = "quorate.dev/cluster-id"
	// AnnotationFounded, on a member's claim, is the incarnation that was granted the right
	// to act as this member. It is written before the grant and outlives the RaftCluster.
	AnnotationFounded = "quorate.dev/founded"
	// AnnotationFoundingReplicas, on a member's StatefulSet and claim, is the number of members
	// that the group was founded with.
	AnnotationFoundingReplicas = "quorate.dev/founding-replicas"
	// AnnotationMembers, on a member's claim, is the IDs of the members whose volumes make up
	// the group, in decimal, ascending, joined by commas. It tells whether all are there
	// when the group is taken up from its volumes.
	AnnotationMembers = "quorate.dev/members"
	// AnnotationRemoved, on a claim, is "true" once its member has left the group for good.
	AnnotationRemoved = "quorate.dev/removed"
)
