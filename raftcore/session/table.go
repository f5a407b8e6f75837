package session

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Verdict says what is to be done with a command in a session.
type Verdict uint8

// The verdicts.
const (
	Execute Verdict = iota + 1 // execute it, then call Executed
	Repeat                     // it was executed: Table.Answer has the answer
	Pending                    // it is the one that Execute was said of last: call Executed, then Take again
	Stale                      // a later command of the client was executed already
	Gap                        // commands of the client before this one are missing
	Unknown                    // there is no such session: it has expired
	Past                       // the table has seen this entry before: nothing is to be done
)

// The errors that go with the verdicts. A command that gets one of them was not
// executed, with the exception of ErrAnswerTooLarge.
var (
	// ErrExpired tells that the session has expired or never was.
	ErrExpired = errors.New("the session has expired or was never opened")
	// ErrStale tells that a command with a higher serial was executed in the session. Whether
	// this one was, and with what answer, is forgotten.
	ErrStale = errors.New("a later command of the session was executed before")
	// ErrGap tells that the serial is higher than the next one of the session.
	ErrGap = errors.New("the command's serial is not the next one of its session")
	// ErrAnswerTooLarge tells that the command took effect once, but its answer is larger
	// than the session allows and was not kept.
	ErrAnswerTooLarge = errors.New("the command took effect, but its answer is too large to be kept")
)

// Err gives the error of a verdict that refuses the command, or nil.
func (v Verdict) Err() error {
	switch v {
	case Stale:
		return ErrStale
	case Gap:
		return ErrGap
	case Unknown:
		return ErrExpired
	}
	return nil
}

// Table is every session that is open. It has one owner; a nil Table is not usable.
type Table struct {
	Mutation mutation.Set // deliberate bugs; only tests can set it

	head     protocol.SessionsHead
	sessions map[uint64]*list.Element // by client
	order    *list.List               // of *entry, the least recently used one first
	changes  *changes                 // nil: nobody asks for them
}

// entry is a session, and whether its last command is being executed.
type entry struct {
	protocol.Session
	pending bool
}

// New gives an empty table.
func New() *Table {
	return &Table{sessions: make(map[uint64]*list.Element), order: list.New()}
}

// Len gives the number of sessions.
func (t *Table) Len() int { return len(t.sessions) }

// Head gives what the table has beside the sessions.
func (t *Table) Head() protocol.SessionsHead { return t.head }

// Take judges the command of the entry at the index. Commands without a session (client
// 0) are not for the table. Executed must follow Execute before the table is frozen.
func (t *Table) Take(at protocol.Index, client, serial uint64) Verdict {
	e := t.find(client)
	checked := !t.Mutation.Has(mutation.SerialNotChecked)
	if e != nil && e.pending && e.Serial == serial && at > t.head.Applied && checked {
		return Pending // and the entry is judged again
	}
	if !t.advance(at) {
		return Past
	}
	if e == nil {
		return Unknown
	}
	t.touch(e, at)
	switch next := e.Serial + 1; {
	case !checked:
	case serial == 0 || serial < e.Serial:
		return Stale
	case serial == e.Serial:
		return Repeat
	case serial > next:
		return Gap
	}
	e.Serial, e.Answer, e.pending = serial, protocol.Answer{}, true
	return Execute
}

// Executed takes the answer to a command that Execute was said of, and gives it as it is
// kept. The table keeps the bytes. A session that has gone on or expired meanwhile
// keeps nothing.
func (t *Table) Executed(client, serial uint64, answer []byte) protocol.Answer {
	kept := protocol.Answer{Data: answer}
	e := t.find(client)
	if e == nil || !e.pending || e.Serial != serial {
		return kept
	}
	if e.MaxAnswer > 0 && uint64(len(answer)) > e.MaxAnswer {
		kept = protocol.Answer{TooLarge: true}
	}
	e.pending = false
	if !t.Mutation.Has(mutation.SessionForgetsAnswer) {
		e.Answer = kept
	}
	t.note(client)
	return kept
}

// Answer gives what is kept of the answer to a client's last command.
func (t *Table) Answer(client uint64) protocol.Answer {
	if e := t.find(client); e != nil {
		return e.Answer
	}
	return protocol.Answer{}
}

// Change does what the entry of kind EntrySession says. It gives the client whose session
// was opened (0: none), and the clients without a session that the entry wanted kept.
func (t *Table) Change(id protocol.EntryID, c protocol.SessionChange) (opened uint64, unknown []uint64) {
	if !t.advance(id.Index) {
		return 0, nil
	}
	switch c.Op {
	case protocol.SessionOpen:
		return t.open(id.Index, c), nil
	case protocol.SessionKeep:
		// Ascending, so that the order of use follows from the sessions' contents alone.
		for _, client := range slices.Sorted(slices.Values(c.Clients)) {
			if e := t.find(client); e != nil {
				t.touch(e, id.Index)
			} else {
				unknown = append(unknown, client)
			}
		}
	case protocol.SessionExpire:
		for _, client := range c.Clients {
			t.remove(client)
		}
	case protocol.SessionClock:
		t.read(id.Term, c.Clock)
	}
	return 0, unknown
}

func (t *Table) open(at protocol.Index, c protocol.SessionChange) uint64 {
	e := &entry{Session: protocol.Session{
		Client: uint64(at), Timeout: c.Timeout, MaxAnswer: c.MaxAnswer, Active: at, Fresh: true,
	}}
	t.sessions[e.Client] = t.order.PushBack(e)
	t.note(e.Client)
	for c.MaxSessions > 0 && uint64(t.Len()) > c.MaxSessions {
		t.remove(t.order.Front().Value.(*entry).Client)
	}
	return e.Client
}

// read advances the clock by what has passed for one leader. Those who gave a sign of
// life since the last reading are seen now; of the others, those expire that were not
// seen for too long.
func (t *Table) read(term protocol.Term, reading uint64) {
	if term == t.head.ClockTerm && reading > t.head.Reading {
		t.head.Clock += reading - t.head.Reading
	}
	t.head.ClockTerm, t.head.Reading = term, reading
	for el := t.order.Back(); el != nil && el.Value.(*entry).Fresh; el = el.Prev() {
		e := el.Value.(*entry)
		e.Fresh, e.Seen = false, t.head.Clock
		t.note(e.Client)
	}
	var idle []uint64
	for el := t.order.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); t.head.Clock-e.Seen >= e.Timeout {
			idle = append(idle, e.Client)
		}
	}
	for _, client := range idle {
		t.remove(client)
	}
}

// advance notes that the entry at the index is applied, and reports whether it was not
// before: a state machine that keeps its own files may be given entries again that
// changed nothing but the table.
func (t *Table) advance(at protocol.Index) bool {
	if at <= t.head.Applied {
		return false
	}
	t.head.Applied = at
	return true
}

func (t *Table) find(client uint64) *entry {
	if el := t.sessions[client]; el != nil {
		return el.Value.(*entry)
	}
	return nil
}

func (t *Table) touch(e *entry, at protocol.Index) {
	e.Active, e.Fresh, e.Seen = at, true, 0
	t.order.MoveToBack(t.sessions[e.Client])
	t.note(e.Client)
}

func (t *Table) remove(client uint64) {
	if el := t.sessions[client]; el != nil {
		t.order.Remove(el)
		delete(t.sessions, client)
		t.note(client)
	}
}

// CheckInvariants tells what is wrong with the table, which is only a fault of this room.
func (t *Table) CheckInvariants() error {
	if t.order.Len() != len(t.sessions) {
		return fmt.Errorf("session table: %d sessions, but %d in the order of use", len(t.sessions), t.order.Len())
	}
	var before *entry
	for el := t.order.Front(); el != nil; el = el.Next() {
		e := el.Value.(*entry)
		switch {
		case t.sessions[e.Client] != el:
			return fmt.Errorf("session table: client %d is not where it is looked up", e.Client)
		case e.Active > t.head.Applied || e.Client > uint64(e.Active):
			return fmt.Errorf("session table: client %d was active at entry %d of %d", e.Client, e.Active, t.head.Applied)
		case e.Seen > t.head.Clock:
			return fmt.Errorf("session table: client %d was seen at %d, but the clock shows %d", e.Client, e.Seen, t.head.Clock)
		case before != nil && (byUse(before.Session, e.Session) >= 0 || before.Fresh && !e.Fresh):
			return fmt.Errorf("session table: client %d comes before client %d in the order of use", before.Client, e.Client)
		}
		before = e
	}
	return nil
}

// byUse orders sessions by their last sign of life. One entry may hold those of many.
func byUse(a, b protocol.Session) int {
	return cmp.Or(cmp.Compare(a.Active, b.Active), cmp.Compare(a.Client, b.Client))
}
