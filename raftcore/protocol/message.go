package protocol

import "strconv"

// MessageKind names a message type on the wire. The values never change and are
// never reused.
type MessageKind uint8

// The kinds of messages.
const (
	KindPreVoteRequest   MessageKind = 1
	KindPreVoteResponse  MessageKind = 2
	KindVoteRequest      MessageKind = 3
	KindVoteResponse     MessageKind = 4
	KindAppendRequest    MessageKind = 5
	KindAppendResponse   MessageKind = 6
	KindSnapshotRequest  MessageKind = 7
	KindSnapshotResponse MessageKind = 8
	KindTimeoutNow       MessageKind = 9
	KindReadRequest      MessageKind = 10
	KindReadResponse     MessageKind = 11
	KindForward          MessageKind = 12
	KindForwardRefused   MessageKind = 13
	KindResigned         MessageKind = 14
	KindRepairRequest    MessageKind = 15
	KindRepairResponse   MessageKind = 16
)

var kindNames = [...]string{
	KindPreVoteRequest:   "PreVoteRequest",
	KindPreVoteResponse:  "PreVoteResponse",
	KindVoteRequest:      "VoteRequest",
	KindVoteResponse:     "VoteResponse",
	KindAppendRequest:    "AppendRequest",
	KindAppendResponse:   "AppendResponse",
	KindSnapshotRequest:  "SnapshotRequest",
	KindSnapshotResponse: "SnapshotResponse",
	KindTimeoutNow:       "TimeoutNow",
	KindReadRequest:      "ReadRequest",
	KindReadResponse:     "ReadResponse",
	KindForward:          "Forward",
	KindForwardRefused:   "ForwardRefused",
	KindResigned:         "Resigned",
	KindRepairRequest:    "RepairRequest",
	KindRepairResponse:   "RepairResponse",
}

// String gives the kind's name.
func (k MessageKind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "MessageKind(" + utoa(uint64(k)) + ")"
}

// MessageKinds gives every kind, ascending.
func MessageKinds() []MessageKind {
	var ks []MessageKind
	for k, n := range kindNames {
		if n != "" {
			ks = append(ks, MessageKind(k))
		}
	}
	return ks
}

// Message is what members send each other: an envelope and a typed body.
//
// Term is the sender's term, with two exceptions: a PreVoteRequest carries the term
// that its sender would campaign in, and the response that grants it echoes that
// term; a RepairRequest and its response carry none, because what they say is true in
// every term.
type Message struct {
	From, To MemberID
	Term     Term
	Body     Body
}

// Body is one of the message types below, always as a pointer. A body is never
// changed after it was sent.
type Body interface {
	Kind() MessageKind
}

// PreVoteRequest asks whether the receiver would vote for the sender, without
// disturbing anybody's term (thesis section 9.6).
type PreVoteRequest struct {
	Last EntryID // the candidate's last entry
}

// PreVoteResponse answers a PreVoteRequest.
type PreVoteResponse struct {
	Granted     bool
	Incarnation Incarnation // of the voter's volume, when it grants
}

// VoteRequest asks for a vote (paper figure 2, RequestVote RPC).
type VoteRequest struct {
	Last     EntryID // the candidate's last entry
	Transfer bool    // the leader asked for this election: do not protect it
}

// VoteResponse answers a VoteRequest.
type VoteResponse struct {
	Granted     bool
	Incarnation Incarnation // of the voter's volume, when it grants
}

// AppendRequest replicates entries, and is the heartbeat when it has none (paper
// figure 2, AppendEntries RPC).
type AppendRequest struct {
	Prev    EntryID // identity of the entry just before Entries
	Commit  Index   // leader's commit index
	Round   uint64  // leader's latest read round; the follower echoes it
	Entries []Entry
}

// AppendResponse answers an AppendRequest or the installation of a snapshot.
//
// When it is not Rejected, Match is the last index up to which the follower's
// durable log is known to equal the leader's. When it is Rejected, Hint is the
// follower's candidate for the next Prev: the last entry it has at or before the
// refused Prev whose term is at most Prev.Term (conflict search by term, paper
// section 5.3), and Match is the index of the refused Prev. The refusal of a request of an
// older term only tells the newer one: Match, Hint and Round are zero, so that it cannot
// pass for an answer to the same leader in the newer term.
type AppendResponse struct {
	Rejected    bool
	Match       Index
	Hint        EntryID
	Round       uint64 // echoed from the request
	Incarnation Incarnation
	Boot        Boot
	Unfit       bool // the follower should not lead: its disk is slow, full or damaged
}

// SnapshotMeta describes a snapshot: the state after Last was applied, and the
// membership as of then.
type SnapshotMeta struct {
	Last       EntryID
	Membership Membership
	Size       int64 // bytes of the state machine's data
}

// SnapshotRequest carries one chunk of a snapshot to a follower whose next entry
// was compacted away (paper section 7, InstallSnapshot RPC). With Prefix it goes on with
// what another leader has begun, if the follower has the same bytes before Offset, or begins
// anew at 0. Without, a chunk at 0 asks how much of the snapshot the follower has.
type SnapshotRequest struct {
	Meta     SnapshotMeta
	Offset   int64 // of Data within the snapshot, in bytes
	Data     []byte
	Checksum uint32 // CRC-32C of Data
	Done     bool   // this is the last chunk
	Prefix   []byte // SHA-256 of the snapshot's bytes before Offset; empty: the sender does not say
}

// SnapshotResponse tells the leader how much of a snapshot has arrived. Offset is
// the byte that the follower wants next; after the last chunk it equals the size. Digest
// comes with a refusal: a leader goes on at Offset only if its own bytes before it are the same.
type SnapshotResponse struct {
	Last     EntryID // of the snapshot
	Offset   int64
	Rejected bool   // the chunk was damaged, out of order or not wanted
	Digest   []byte // SHA-256 of the bytes that have arrived; empty: not told
}

// TimeoutNow asks the receiver to start an election at once, because the leader
// hands its leadership over (thesis section 3.10).
type TimeoutNow struct{}

// ReadRequest asks the leader for a read index (thesis section 6.4). ID is the
// asking member's own.
type ReadRequest struct {
	ID uint64
}

// ReadResponse gives the index that the asking member must have applied before it
// serves the read, or refuses.
type ReadResponse struct {
	ID       uint64
	Index    Index
	Rejected bool
}

// Forward hands clients' commands that a follower took to the leader. Each
// payload is an encoded Command, to become an entry as it is. ID is the follower's own.
// As is the kind of those entries: zero means EntryCommand, the other that may be forwarded is
// EntrySession, whose payloads are encoded SessionChanges.
type Forward struct {
	ID       uint64
	Payloads [][]byte
	As       EntryKind
}

// ForwardRefused tells a follower that of the Forward with the ID only the first Taken
// payloads became entries, and why not the others. A Forward that was taken as a whole
// has no answer: its commands are answered where they are applied.
type ForwardRefused struct {
	ID     uint64
	Taken  int
	Reason RefusalReason
}

// Resigned tells the followers that the sender does not lead any more, though the term
// goes on: it has lost its quorum or its disk makes no progress. They need not wait
// for an election timeout.
type Resigned struct{}

// RepairRequest asks a member for entries whose records are damaged on the sender's disk.
// Their terms and indexes are known, and an entry with the same term and index is the same
// entry on every member (paper section 5.3, Log Matching).
type RepairRequest struct {
	Entries []EntryID // ascending
}

// RepairResponse gives those of the asked entries that the sender has, as many as fit
// into one message. Missing are those that it does not have; what is in neither list may
// be asked for again.
type RepairResponse struct {
	Entries []Entry
	Missing []EntryID
}

// Kind implements Body.
func (*PreVoteRequest) Kind() MessageKind { return KindPreVoteRequest }

// Kind implements Body.
func (*PreVoteResponse) Kind() MessageKind { return KindPreVoteResponse }

// Kind implements Body.
func (*VoteRequest) Kind() MessageKind { return KindVoteRequest }

// Kind implements Body.
func (*VoteResponse) Kind() MessageKind { return KindVoteResponse }

// Kind implements Body.
func (*AppendRequest) Kind() MessageKind { return KindAppendRequest }

// Kind implements Body.
func (*AppendResponse) Kind() MessageKind { return KindAppendResponse }

// Kind implements Body.
func (*SnapshotRequest) Kind() MessageKind { return KindSnapshotRequest }

// Kind implements Body.
func (*SnapshotResponse) Kind() MessageKind { return KindSnapshotResponse }

// Kind implements Body.
func (*TimeoutNow) Kind() MessageKind { return KindTimeoutNow }

// Kind implements Body.
func (*ReadRequest) Kind() MessageKind { return KindReadRequest }

// Kind implements Body.
func (*ReadResponse) Kind() MessageKind { return KindReadResponse }

// Kind implements Body.
func (*Forward) Kind() MessageKind { return KindForward }

// Kind implements Body.
func (*ForwardRefused) Kind() MessageKind { return KindForwardRefused }

// Kind implements Body.
func (*Resigned) Kind() MessageKind { return KindResigned }

// Kind implements Body.
func (*RepairRequest) Kind() MessageKind { return KindRepairRequest }

// Kind implements Body.
func (*RepairResponse) Kind() MessageKind { return KindRepairResponse }

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }
