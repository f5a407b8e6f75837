package protocol

// MemberID names one member of a cluster. It is chosen once and never reused,
// not even after the member was removed. Zero means "no member".
type MemberID uint64

// Term is Raft's logical clock (paper section 5.1). Zero is the term before the
// first election.
type Term uint64

// Index is a position in the log. The first entry has index 1; zero is the
// position before it.
type Index uint64

// Incarnation tells one life of a volume from another: it is drawn at random when
// a data directory is formatted. A member that comes back with another
// incarnation has lost what it had acknowledged.
type Incarnation uint64

// Boot tells one run of a process from another. It is drawn at random at each
// start, so that a leader notices a follower that was restarted.
type Boot uint64

// EntryID is the identity of an entry: two logs that hold the same EntryID are
// the same up to and including it (paper section 5.3, Log Matching).
type EntryID struct {
	Term  Term
	Index Index
}

// UpToDate reports whether a log that ends in e is at least as up to date as one
// that ends in o: the last terms are compared first and only when they are equal
// the last indexes (paper section 5.4.1).
func (e EntryID) UpToDate(o EntryID) bool {
	return e.Term > o.Term || e.Term == o.Term && e.Index >= o.Index
}

// HardState is what a member must have on disk before it answers (paper
// figure 2, "persistent state on all servers", without the log).
type HardState struct {
	Term Term     // latest term this member has seen
	Vote MemberID // candidate that got this member's vote in Term, or 0
}
