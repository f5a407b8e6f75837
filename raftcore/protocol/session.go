package protocol

import "fmt"

// SessionOp says what a SessionChange does. The values are written to disk: they never
// change.
type SessionOp uint8

// The operations.
const (
	SessionOpen   SessionOp = 1 // a new session; its client ID is the index of the entry
	SessionKeep   SessionOp = 2 // the clients live
	SessionExpire SessionOp = 3 // the clients have closed their sessions
	SessionClock  SessionOp = 4 // a leader's clock was read: what is idle for too long expires
)

// String gives the operation's name.
func (o SessionOp) String() string {
	switch o {
	case SessionOpen:
		return "Open"
	case SessionKeep:
		return "Keep"
	case SessionExpire:
		return "Expire"
	case SessionClock:
		return "Clock"
	}
	return fmt.Sprintf("SessionOp(%d)", uint8(o))
}

// SessionChange is the payload of an entry of kind EntrySession (thesis section 6.3).
// Limits travel in the entry and not in anybody's options, so that all members obey
// the same ones.
type SessionChange struct {
	Op      SessionOp
	ReplyTo ReplyTo
	Clients []uint64 // Keep and Expire: whose sessions
	Clock   uint64   // Clock: milliseconds since any moment that is the same for the leader's whole term

	Timeout     uint64 // Open: milliseconds without a sign of life after which the session expires
	MaxSessions uint64 // Open: above this the least recently used ones expire; 0: no bound
	MaxAnswer   uint64 // Open: bytes of an answer that is kept; 0: no bound
}

// Session is what the group knows of one client.
type Session struct {
	Client    uint64 // the index of the entry that opened it: never given out again
	Timeout   uint64 // milliseconds
	MaxAnswer uint64 // bytes; 0: no bound

	Active Index  // the entry with its last sign of life
	Fresh  bool   // no clock was read since
	Seen   uint64 // when not Fresh: the sessions' clock at the first reading after Active

	Serial uint64 // of the last command that was executed; 0: none
	Answer Answer // to that command
}

// Answer is what is kept of a result. The first answer to a command is the answer to
// every duplicate of it.
type Answer struct {
	Data     []byte // as the state machine encoded it
	TooLarge bool   // it took effect, but its answer was larger than the session allows
}

// SessionsHead is what a table of sessions has beside the sessions.
type SessionsHead struct {
	Applied   Index  // the last entry that changed the table
	Clock     uint64 // milliseconds that have passed, as far as leaders have read their clocks
	ClockTerm Term   // the term of the last reading
	Reading   uint64 // what that leader's clock showed
}
