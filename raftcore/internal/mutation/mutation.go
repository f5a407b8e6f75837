// Package mutation lists deliberate bugs that tests switch on, to prove that the
// simulator and the stories would notice them.
//
// # In this room
//
// One named bit for each bug. It is internal to raftcore, so nobody outside can
// switch one on; the zero value is correct Raft.
//
// # Never here
//
// Options that a user may want.
//
// # Invariants
//
// Each bug is consulted at exactly one place, which a test of package devtools/sim counts,
// and a test shows that it is caught.
//
// # How to add
//
// A constant at the end, the place that consults it, a row in the table catches of package
// devtools/sim, whose test fails for a bug that nobody notices.
package mutation

// Set is a set of bugs.
type Set uint64

// The bugs.
const (
	CommitOldTerm               Set = 1 << iota // a leader commits entries of older terms by counting (paper figure 8)
	VoteInMemory                                // the vote is not persisted before it is answered
	AckBeforeSync                               // a follower acknowledges entries that are not durable
	VoteByIndexOnly                             // the up-to-date check compares last indexes only
	KeepOldTail                                 // an overwrite leaves what followed the conflict
	ApplyUncommitted                            // entries are applied before they are committed
	CursorOnlyUp                                // a follower's match index survives the follower's reset
	ReadWithoutQuorum                           // a leader serves a read index without asking a quorum
	SessionForgetsAnswer                        // a duplicate gets no answer
	SerialNotChecked                            // a duplicate is executed again
	ExpireByLocalClock                          // a session expires by the clock of the member that applies
	ResignedOfOldTerm                           // a follower drops its leader because that one resigned in an older term
	UnableCampaigns                             // a member that must not lead asks for elections
	SerialNeverReleased                         // a serial group takes one command of each leader's, and no more
	CutDamage                                   // recovery takes a damaged record for the torn end of the log
	DropTailAfterFsyncFailure                   // recovery trusts the page cache: it does not write the last write again
	RepairWithoutTermCheck                      // a member answers a request for repair by index alone
	CampaignWhileDamaged                        // a member with damaged records stands for election
	LeaseWithoutDrift                           // a leader's lease is as long as an election timeout of its own clock
	LeaseAfterTransfer                          // a leader that hands over, or gave that up, still has a lease
	ReadFromNewLeaderBeforeNoOp                 // a new leader answers reads before it knows what is committed
	ChangeBeforeCommitInTerm                    // a leader changes the membership before it has committed an entry of its term
	ChangeEffectOnCommit                        // a configuration takes effect when it is committed, not when it is appended
	JointNeedsOnlyNew                           // a joint configuration decides by a majority of its new half
	WipedVolumeVotes                            // the vote of a volume counts that has lost what its member acknowledged
	SilentWhenRemoved                           // a member never campaigns by a configuration that takes its vote, not even while that is not committed
	RemovedLeaderCountsItself                   // a leader that is no voter any more counts itself
	CatchUpCapped                               // a leader reads no entries for a follower beyond a fixed index
	LeadWhileDiskHangs                          // a leader that must not lead goes on with its heartbeats
	VoteTwice                                   // a member votes for everybody who asks, in the same term
	LateRefusalEchoes                           // the refusal of a request of an older term passes for an answer in this one
	LeadWithoutQuorum                           // a leader that hears no quorum goes on with its heartbeats
	SnapshotGoesBack                            // a snapshot is installed that ends before what is committed here
	SnapshotDropsTail                           // a snapshot is installed over a log that has its last entry and more
	LeaderCountsUnsynced                        // a leader counts its own entries before they are durable
	FsyncRetried                                // a sync that failed is tried again, and its success is believed
	GhostEntries                                // recovery leaves what an overwrite has cut off
	UnboundedLength                             // memory is allocated for whatever length stands on the disk
	WipedVoter                                  // an empty volume is opened as if it had always been so
	LeaseFromAnswer                             // a lease counts from when the answers came, not from when the round began
	InstallKeepsStable                          // an install leaves what was durable of the old log counted for the new one
	RepairedCutOff                              // a repaired configuration counts that was cut off the log meanwhile
	FetchedCutOff                               // a leader sends what was read of a log that was cut off since
)

// Has reports whether the bug b is on.
func (s Set) Has(b Set) bool { return s&b != 0 }
