package replica

import (
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Input is what can happen to a replica. The types below are all there are.
type Input interface{ input() }

// Tick tells that one tick interval has passed.
type Tick struct{}

// Receive takes a message from another member.
type Receive struct{ Message protocol.Message }

// Propose asks that the payloads become entries of the kind, in order. On a leader
// they are appended; on a follower that knows its leader, Commands and Session entries are forwarded;
// otherwise they are given back in Effects.Refused. Configurations are proposed
// by Change alone.
type Propose struct {
	Kind     protocol.EntryKind
	Payloads [][]byte
}

// Read asks for a read index. ID is the caller's own and comes back in
// Effects.Reads, or in Effects.ReadsRefused.
type Read struct{ ID uint64 }

// Persisted tells that the Persist with this sequence number, and all before it,
// are durable.
type Persisted struct{ Seq uint64 }

// Applied tells that every entry up to and including Index was applied.
type Applied struct{ Index protocol.Index }

// Fetched answers a Fetch: the entries that were read, or Err true when the log
// could not give them (they were compacted away meanwhile, or are damaged).
type Fetched struct {
	Fetch   Fetch
	Entries []protocol.Entry
	Err     bool
}

// Compacted tells that the log has dropped all entries up to and including Base.
type Compacted struct{ Base protocol.EntryID }

// SnapshotReceived tells that a whole snapshot from the member From, sent in the
// term Term, is durable here and may be installed.
type SnapshotReceived struct {
	From protocol.MemberID
	Term protocol.Term
	Meta protocol.SnapshotMeta
}

// SnapshotSent tells how the transfer asked for by Effects.SendSnapshot ended. Last
// is what the snapshot reached to, when OK.
type SnapshotSent struct {
	To   protocol.MemberID
	Last protocol.EntryID
	OK   bool
}

// Disconnected tells that the connection with a member broke: it may be dead.
type Disconnected struct{ Member protocol.MemberID }

// Transfer asks a leader to hand its leadership to a member (0: to the one that is
// most up to date). It is ignored by others.
type Transfer struct{ To protocol.MemberID }

// Change asks a leader to change the membership. ID is the caller's own and comes back in
// Effects.Changes.
type Change struct {
	ID     uint64
	Change membership.Change
}

// Resign makes a leader or candidate a follower at once, as when its disk makes no
// progress.
type Resign struct{}

// Fitness tells how well this member could lead, from now on; a replica begins as Fit. One
// that is not fit leaves elections to others, and hands over when it leads.
type Fitness struct{ Level FitnessLevel }

// Repaired tells of Configuration entries of the log that are readable again after their
// records were damaged when this member began. Others of them may be known already.
type Repaired struct{ Configurations []protocol.Entry }

func (Tick) input()             {}
func (Receive) input()          {}
func (Propose) input()          {}
func (Read) input()             {}
func (Persisted) input()        {}
func (Applied) input()          {}
func (Fetched) input()          {}
func (Compacted) input()        {}
func (SnapshotReceived) input() {}
func (SnapshotSent) input()     {}
func (Disconnected) input()     {}
func (Transfer) input()         {}
func (Change) input()           {}
func (Resign) input()           {}
func (Fitness) input()          {}
func (Repaired) input()         {}
