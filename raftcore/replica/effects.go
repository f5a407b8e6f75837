package replica

import "github.com/quorate/quorate/raftcore/protocol"

// Effects is what the caller must do after a Step, see the duties in the package
// comment. The slices are valid until the next Step; what they point to (bodies,
// entries, payloads) stays valid and is never changed, and so do the elements of Apply.
type Effects struct {
	Send             []protocol.Message // may leave at once
	Persist          *Persist           // nil when nothing is to be written
	SendAfterPersist []protocol.Message // leave when all Persists so far are durable
	Apply            []protocol.Entry   // committed and durable here, in order, without gaps

	Fetch        []Fetch             // entries that are no longer in memory; answer with Fetched
	SendSnapshot []protocol.MemberID // followers that need a snapshot, sent in the present term; answer with SnapshotSent
	Install      *Install            // replace log and state machine by a snapshot

	Reads        []ReadIndex // confirmed: serve when Index is applied here
	ReadsRefused []uint64    // no leader could confirm these; the client may try again
	Refused      []Refusal   // proposals that were not taken

	Changes    []ChangeAnswer    // to Change
	Membership *MembershipChange // another configuration is in effect, or it is committed now

	State     *StateChange // role, term or leader has changed
	Violation error        // an invariant of Raft is broken: stop this member, it is not to be trusted
}

// ChangeAnswer tells what became of a Change. When it was not refused, Entry is that of the
// next configuration: it is in effect, and the change is made when that entry is applied
// and, where it is joint, the one that leaves it.
type ChangeAnswer struct {
	ID      uint64
	Entry   protocol.EntryID
	Refused *ChangeRefused // nil: it was taken
}

// MembershipChange tells the configuration in effect.
type MembershipChange struct {
	Membership protocol.Membership // must not be changed
	ID         protocol.EntryID    // of its entry; zero for the initial one
	Committed  bool                // as far as this member knows
	Removed    bool                // it is committed, and this member is none any more
	Foreign    bool                // it is committed, and another volume than this one is recorded for this member
}

// Persist is one write. When Hard is set it is made durable before the entries.
// Entries are inserted at Entries[0].Index; what follows in the log is cut off.
type Persist struct {
	Seq     uint64 // ascending by one
	Hard    *protocol.HardState
	Entries []protocol.Entry
}

// Fetch asks for entries [From, To], at most MaxBytes of them but at least one.
// For is the follower that they are for, or 0 when they are to be applied.
type Fetch struct {
	For      protocol.MemberID
	From, To protocol.Index
	MaxBytes int
}

// Install asks the caller to make the received snapshot the state: the log becomes
// empty with the snapshot's Last as its base, the state machine is restored; then
// Persisted{Seq} is stepped. Apply continues after it. It never comes together with a
// Persist.
type Install struct {
	Seq  uint64 // in the same sequence as Persist.Seq
	Meta protocol.SnapshotMeta
}

// ReadIndex tells that a read may be served once Index is applied.
type ReadIndex struct {
	ID    uint64
	Index protocol.Index
}

// RefusalReason says why a proposal was not taken; see package protocol.
type RefusalReason = protocol.RefusalReason

// The reasons.
const (
	NoLeader     = protocol.NoLeader
	Overloaded   = protocol.Overloaded
	Transferring = protocol.Transferring
	InFlight     = protocol.InFlight
	DiskFull     = protocol.DiskFull
)

// Refusal gives proposals back.
type Refusal struct {
	Reason   RefusalReason
	Kind     protocol.EntryKind
	Payloads [][]byte
}

// Role is what a replica is at the moment (paper section 5.1).
type Role uint8

// The roles. PreCandidate is a follower that asks whether an election could be won
// (thesis section 9.6).
const (
	Follower     Role = 0
	PreCandidate Role = 1
	Candidate    Role = 2
	Leader       Role = 3
	Learner      Role = 4
)

// StateChange tells the present role, term and leader (0: unknown).
type StateChange struct {
	Role   Role
	Term   protocol.Term
	Leader protocol.MemberID
}
