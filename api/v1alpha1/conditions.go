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
	ReasonHibernated         = "Hibernated"         // False, also of Progressing and Degraded: spec.hibernated, no pod runs
)

// Reasons of Progressing.
const (
	ReasonStable            = "Stable"            // False: everything is as wanted
	ReasonCreating          = "Creating"          // True: objects of members are being created
	ReasonRollingOut        = "RollingOut"        // True: members get a changed pod, one at a time
	ReasonRecovering        = "Recovering"        // True: a member with a fault is being restarted
	ReasonScaling           = "Scaling"           // True: members join or leave, one at a time
	ReasonReplacing         = "Replacing"         // True: a member takes the place of one that cannot be mended
	ReasonMoving            = "Moving"            // True: a member on another volume takes the place of one whose volume is not as wanted
	ReasonWaitingForMembers = "WaitingForMembers" // True: a member is starting or catching up
	ReasonPaused            = "Paused"            // False: spec.paused
	ReasonHibernating       = "Hibernating"       // True: spec.hibernated, pods are being stopped
	ReasonWaking            = "Waking"            // True: StatefulSets without pods get their pods back
	ReasonExpandingVolumes  = "ExpandingVolumes"  // True: volumes grow to spec.storage.size
	ReasonExpansionFailed   = "ExpansionFailed"   // False: a volume does not grow; whoever provides it says why
	ReasonVolumeMismatch    = "VolumeMismatch"    // False: a volume is not as wanted, and no new member would help
	ReasonVolumePending     = "VolumePending"     // False: a member does not join, because its claim gets no volume
	ReasonMoveBlocked       = "MoveBlocked"       // False: a member is not moved to another volume because another one is not well
	ReasonRolloutStuck      = "RolloutStuck"      // False: a member does not get well with the changed pod
	ReasonRolloutBlocked    = "RolloutBlocked"    // False: a change waits because another member is not well
	ReasonVersionSkew       = "VersionSkew"       // False: the changed pod's node is too new for the other members
	ReasonDowngradeRefused  = "DowngradeRefused"  // False: the changed pod's node is too old for what the group has written
	ReasonScaleBlocked      = "ScaleBlocked"      // False: members do not join or leave because another member is not well
	ReasonMembershipStuck   = "MembershipStuck"   // False: a change of the membership takes very long
	ReasonMembershipUnclear = "MembershipUnclear" // False: the group has a member that the RaftCluster does not know

	ReasonReplacementLacksEvidence   = "ReplacementLacksEvidence"   // False: a member is not replaced, because nothing says that its own volume is the cause
	ReasonReplacementBudgetExhausted = "ReplacementBudgetExhausted" // False: a member is not replaced, because as many were as are allowed
	ReasonReplacementRisksQuorum     = "ReplacementRisksQuorum"     // False: a member is not replaced, because the others are no quorum that is well
	ReasonReplacementBlocked         = "ReplacementBlocked"         // False: a member is not replaced, because another one is not well, or none leads, for long
	ReasonTwoMembersIll              = "TwoMembersIll"              // False: a member is not replaced, because another one is ill too

	ReasonRestartBudgetExhausted = "RestartBudgetExhausted" // False: restarts did not mend a member
	ReasonRestartUseless         = "RestartUseless"         // False: no restart can mend a member; a person must act
	ReasonAwaitingCertificates   = "AwaitingCertificates"   // True: a member is not created before its certificate is there
	ReasonTLSInvalid             = "TLSInvalid"             // False: certificates that somebody else keeps are missing or do not fit
	ReasonCertManagerMissing     = "CertManagerMissing"     // False: tls.mode is CertManager, and cert-manager is not installed
	ReasonObjectConflict         = "ObjectConflict"         // False: an object of a needed name belongs to somebody else, or does not stay as it is set
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
	ReasonChangeTried        = "ChangeTried"        // a change of the pod is tried on one member
	ReasonRolloutCompleted   = "RolloutCompleted"   // every member has the changed pod
	ReasonMemberUpdated      = "MemberUpdated"      // a StatefulSet got a changed pod template
	ReasonPodRestarted       = "PodRestarted"       // a pod was deleted in order to be recreated
	ReasonAdopted            = "Adopted"            // an object of the group that had no owner was taken over
	ReasonVolumeExpanded     = "VolumeExpanded"     // a claim was told to grow
	ReasonMembersStopped     = "MembersStopped"     // StatefulSets were scaled to 0, because of spec.hibernated
	ReasonMembersStarted     = "MembersStarted"     // StatefulSets were scaled back to 1
	ReasonLeaderTransferred  = "LeaderTransferred"  // a leader was asked to hand over
	ReasonTransferFailed     = "TransferFailed"     // it did not
	ReasonBootstrapCompleted = "BootstrapCompleted" // every member was founded
	ReasonMemberAdded        = "MemberAdded"        // a member joined as a learner
	ReasonMemberPromoted     = "MemberPromoted"     // a member got its vote
	ReasonMemberRemoved      = "MemberRemoved"      // a member was taken out of the group
	ReasonMemberDeleted      = "MemberDeleted"      // an object of a member that has left was deleted
	ReasonChangeAbandoned    = "ChangeAbandoned"    // a member that was about to join is taken away again
	ReasonEvenReplicas       = "EvenReplicas"       // spec.replicas is even: it tolerates no more failures than one less
	ReasonMemberRecovered    = "MemberRecovered"    // a member's fault is gone
	ReasonCertificatesIssued = "CertificatesIssued" // certificates were signed, for the first time or anew
	ReasonCARotated          = "CARotated"          // a CA was made, made known, began to sign, or is not trusted any more
	ReasonApplyFailed        = "ApplyFailed"        // the API server refused an object
)
