package protocol

// EntryKind says what an entry's payload is.
type EntryKind uint8

// The kinds of entries. The values are written to disk: they never change.
const (
	EntryNoOp          EntryKind = 1 // a new leader's first entry; no payload
	EntryCommand       EntryKind = 2 // an encoded Command
	EntryConfiguration EntryKind = 3 // an encoded Membership
	EntrySession       EntryKind = 4 // an encoded SessionChange
)

// String gives the kind's name.
func (k EntryKind) String() string {
	switch k {
	case EntryNoOp:
		return "NoOp"
	case EntryCommand:
		return "Command"
	case EntryConfiguration:
		return "Configuration"
	case EntrySession:
		return "Session"
	}
	return "EntryKind(" + utoa(uint64(k)) + ")"
}

// Entry is one record of the replicated log.
//
// Payload is the entry's content, encoded once by the goroutine that proposed it;
// the same bytes go to the log file, to every follower and to the state machine.
// It must not be changed after the entry was made.
type Entry struct {
	Index   Index
	Term    Term
	Kind    EntryKind
	Payload []byte
}

// ID gives the entry's identity.
func (e Entry) ID() EntryID { return EntryID{Term: e.Term, Index: e.Index} }

// entryOverhead is what an entry costs beside its payload when bytes are counted
// for flow control: its frame header and checksum, rounded up.
const entryOverhead = 32

// Size is the entry's cost in bytes for flow control and batching.
func (e Entry) Size() int { return len(e.Payload) + entryOverhead }

// Size is the sum of the entries' sizes in bytes.
func Size(entries []Entry) int {
	n := 0
	for _, e := range entries {
		n += e.Size()
	}
	return n
}

// ReplyTo says who waits for the result of a command: the request of a member
// that a client is connected to. The zero value means that nobody waits.
type ReplyTo struct {
	Member  MemberID
	Request uint64
}

// Command is the envelope around a client's command. Client and Serial make it
// exactly-once when a session is used (paper section 8); Client 0 means that no
// session is used. ReplyTo routes the result to where the client is connected.
type Command struct {
	Client  uint64
	Serial  uint64
	ReplyTo ReplyTo
	Payload []byte // the state machine's own encoding
}
