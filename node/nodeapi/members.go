package nodeapi

// PathMembers takes a MemberChange by POST: the leader changes the membership.
//
// It is answered 200 with the Membership that results, once that is committed, or when
// the membership already is as asked; so a repeated request is harmless. A refusal is
// answered 409 with a Refusal, and nothing was done; a request that makes no sense 400
// with one. 504: the change may still take effect, look again.
const PathMembers = "/members"

// Suffrage says what a member counts for.
type Suffrage string

// The suffrages.
const (
	SuffrageVoter   Suffrage = "Voter"
	SuffrageLearner Suffrage = "Learner" // receives the log, counts for nothing
	SuffrageLeaving Suffrage = "Leaving" // a voter until a joint configuration ends
)

// Membership is the configuration in effect at a member. It is in effect from when its entry
// is in the member's log, and may still be cut off until it is committed: only then is a
// member that is not in it gone for good.
type Membership struct {
	Index     uint64       `json:"index"`     // of the log entry that it stands in; 0: the founding one
	Committed bool         `json:"committed"` // as far as the member knows
	Joint     bool         `json:"joint"`     // it is a joint configuration, which ends by itself
	Highest   uint64       `json:"highest"`   // the highest ID that a member ever had; none up to it is given again
	Members   []MemberInfo `json:"members"`   // by ID
}

// MemberInfo is one member of a configuration.
type MemberInfo struct {
	ID          uint64   `json:"id"`
	Name        string   `json:"name,omitempty"`
	Peer        string   `json:"peer"`             // host:port for the other members
	Client      string   `json:"client,omitempty"` // host:port for clients
	Suffrage    Suffrage `json:"suffrage"`
	Incarnation string   `json:"incarnation,omitempty"` // of its volume, hexadecimal; absent: not recorded

	// What the leader knows of the member; absent in the answer of others.
	MatchIndex uint64 `json:"matchIndex,omitempty"` // its log is the leader's up to here
	Heard      bool   `json:"heard,omitempty"`      // it has answered within an election timeout
}

// MemberChange asks for one change: a learner that joins (Add), a learner that becomes a
// voter (Promote), a member of either suffrage that goes (Remove). Promote and Remove
// together are one step: the one takes the other's place. What of a request is so already
// is left out: after a Promote alone, Promote and Remove together only remove.
type MemberChange struct {
	ClusterID string      `json:"clusterID"`     // must be the member's own
	Leader    uint64      `json:"leader"`        // the ID of the member that is asked, which must lead
	Add       *MemberInfo `json:"add,omitempty"` // ID, Name, Peer, Client and Incarnation count
	Promote   uint64      `json:"promote,omitempty"`
	Remove    uint64      `json:"remove,omitempty"`
}

// RefusalReason says why a MemberChange was refused.
type RefusalReason string

// The reasons. After the first four it helps to ask again, after NotLeader perhaps another
// member; after the others something must be done first. In a new cluster ChangeInFlight is
// usual for a moment: the leader records the volumes of the members.
const (
	RefusedNotLeader          RefusalReason = "NotLeader"
	RefusedTransferring       RefusalReason = "Transferring"
	RefusedChangeInFlight     RefusalReason = "ChangeInFlight"
	RefusedNotCommittedInTerm RefusalReason = "NotCommittedInTerm"
	RefusedWouldLoseQuorum    RefusalReason = "WouldLoseQuorum"
	RefusedLearnerNotCaughtUp RefusalReason = "LearnerNotCaughtUp"
	RefusedInvalid            RefusalReason = "Invalid"
)

// Refusal is the body of an answer that says no.
type Refusal struct {
	Reason  RefusalReason `json:"reason"`
	Message string        `json:"message"`
}
