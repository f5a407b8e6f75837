package v1alpha1

// The conditions of a RaftCluster.
const (
	ConditionAvailable         = "Available"         // a quorum serves writes
	ConditionProgressing       = "Progressing"       // the operator is changing something; False with a reason when it is done, or refuses
	ConditionDegraded          = "Degraded"          // fewer failures are tolerated than were paid for
	ConditionMembersHealthy    = "MembersHealthy"    // no member has a fault
	ConditionBootstrapComplete = "BootstrapComplete" // every member was founded; once True it stays True
	ConditionDataLossPossible  = "DataLossPossible"  // acknowledged writes may be gone; once True it stays True
)

// Reasons of Available.
const (
	ReasonQuorumServes       = "QuorumServes"       // True: a leader is followed by a quorum
	ReasonFounding           = "Founding"           // False: the members are being founded
	ReasonNoLeader           = "NoLeader"           // False: enough members are well, but none leads
	ReasonQuorumLost         = "QuorumLost"         // False: too few members are well
	ReasonMembersUnreachable = "MembersUnreachable" // Unknown: pods are ready, but the operator cannot reach them
)

// Reasons of Progressing.
const (
	ReasonStable                 = "Stable"                 // False: everything is as wanted
	ReasonCreating               = "Creating"               // True: objects of members are being created
	ReasonRollingOut             = "RollingOut"             // True: members get a changed pod, one at a time
	ReasonRecovering             = "Recovering"             // True: a member with a fault is being restarted
	ReasonWaitingForMembers      = "WaitingForMembers"      // True: a member is starting or catching up
	ReasonPaused                 = "Paused"                 // False: spec.paused
	ReasonScaleNotSupported      = "ScaleNotSupported"      // False: spec.replicas differs from the founded number of members
	ReasonExpansionNotSupported  = "ExpansionNotSupported"  // False: spec.storage.size grew; volumes are not expanded yet
	ReasonRolloutStuck           = "RolloutStuck"           // False: a member does not get well with the changed pod
	ReasonRolloutBlocked         = "RolloutBlocked"         // False: a change waits because another member is not well
	ReasonRestartBudgetExhausted = "RestartBudgetExhausted" // False: restarts did not mend a member
	ReasonRestartUseless         = "RestartUseless"         // False: no restart can mend a member; a person must act
	ReasonObjectConflict         = "ObjectConflict"         // False: an object of a needed name belongs to somebody else
	ReasonRetainedVolumesUnclear = "RetainedVolumesUnclear" // False: volumes of an earlier cluster cannot be taken up
	ReasonDeleting               = "Deleting"               // True: the RaftCluster is being deleted
)

// Reasons of Degraded.
const (
	ReasonAllMembersReady  = "AllMembersReady"  // False
	ReasonMembersNotReady  = "MembersNotReady"  // True: some are not ready, a quorum is
	ReasonNoFaultTolerance = "NoFaultTolerance" // True: one more failure stops writes
)

// Reasons of MembersHealthy.
const (
	ReasonNoFaults            = "NoFaults"            // True
	ReasonUnrecoverableMember = "UnrecoverableMember" // False: a member is fenced, lost its volume or crashes again and again
	ReasonMemberImpaired      = "MemberImpaired"      // False: a member has a fault that ends by itself, such as a full disk
)

// Reasons of BootstrapComplete.
const (
	ReasonAllMembersFounded = "AllMembersFounded" // True
	ReasonMembersMissing    = "MembersMissing"    // False: not every member was founded yet
)

// Reasons of DataLossPossible.
const (
	ReasonQuorumOfVolumesIntact = "QuorumOfVolumesIntact" // False
	ReasonQuorumOfVolumesLost   = "QuorumOfVolumesLost"   // True: a quorum of volumes was lost or damaged at one time
)

// Reasons of Events that are no reasons of conditions.
const (
	ReasonClusterIDLatched   = "ClusterIDLatched"   // the ID of the group was drawn, or taken up from volumes
	ReasonMemberCreated      = "MemberCreated"      // a StatefulSet was created
	ReasonMemberFounded      = "MemberFounded"      // a member was told to found
	ReasonMemberUpdated      = "MemberUpdated"      // a StatefulSet got a changed pod template
	ReasonPodRestarted       = "PodRestarted"       // a pod was deleted in order to be recreated
	ReasonLeaderTransferred  = "LeaderTransferred"  // a leader was asked to hand over
	ReasonTransferFailed     = "TransferFailed"     // it did not
	ReasonBootstrapCompleted = "BootstrapCompleted" // every member was founded
	ReasonMemberRecovered    = "MemberRecovered"    // a member's fault is gone
	ReasonApplyFailed        = "ApplyFailed"        // the API server refused an object
)
