package membership

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Reason says what is wrong with a change.
type Reason uint8

// The reasons.
const (
	Joint       Reason = iota + 1 // the present configuration is joint
	Nothing                       // the change asks for nothing
	Twice                         // a member is named twice
	IDUsed                        // a new member's ID is not above all that ever were
	NoAddress                     // a new or updated member has no address
	NotMember                     // there is no such member
	NotLearner                    // only a learner can be promoted
	NotVoter                      // only a voter can be demoted
	OtherVolume                   // another incarnation is recorded for the member
	NoVoters                      // nobody would be left to vote
)

// Error tells why a change cannot be made.
type Error struct {
	Reason Reason
	Member protocol.MemberID // that it is about, or 0
	Text   string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

func refuse(why Reason, about protocol.MemberID, format string, args ...any) *Error {
	return &Error{Reason: why, Member: about, Text: fmt.Sprintf(format, args...)}
}

// check looks at each part of the change alone.
func check(m protocol.Membership, c Change) error {
	named := c.named()
	if len(named) == 0 {
		return refuse(Nothing, 0, "the change names no member")
	}
	for i, id := range named {
		if slices.Contains(named[:i], id) {
			return refuse(Twice, id, "member %d is named twice: a member is changed in one way at a time", id)
		}
	}
	for _, x := range c.Add {
		if x.ID <= Highest(m) {
			return refuse(IDUsed, x.ID, "member ID %d is used or was used once, and IDs are never used again: take one above %d", x.ID, Highest(m))
		}
	}
	for _, x := range slices.Concat(c.Add, c.Update) {
		if x.Address == "" {
			return refuse(NoAddress, x.ID, "member %d has no address", x.ID)
		}
	}
	return checkPresent(m, c)
}

// checkPresent looks at the members that must be there.
func checkPresent(m protocol.Membership, c Change) error {
	present := Change{Promote: c.Promote, Demote: c.Demote, Remove: c.Remove, Update: c.Update}
	for _, id := range present.named() {
		if _, ok := m.Find(id); !ok {
			return refuse(NotMember, id, "there is no member %d", id)
		}
	}
	for _, u := range c.Update {
		if x, _ := m.Find(u.ID); x.Incarnation != 0 && u.Incarnation != 0 && x.Incarnation != u.Incarnation {
			return refuse(OtherVolume, u.ID, "another volume is recorded for member %d: one that was wiped is a new member, with a new ID", u.ID)
		}
	}
	for _, id := range c.Promote {
		if x, _ := m.Find(id); x.Suffrage != protocol.Learner {
			return refuse(NotLearner, id, "member %d is no learner: only a learner can be promoted", id)
		}
	}
	for _, id := range c.Demote {
		if x, _ := m.Find(id); x.Suffrage != protocol.Voter {
			return refuse(NotVoter, id, "member %d is no voter: only a voter can be demoted", id)
		}
	}
	return nil
}

// named gives the IDs of all members that the change is about.
func (c Change) named() []protocol.MemberID {
	ids := slices.Concat(c.Promote, c.Demote, c.Remove)
	for _, x := range slices.Concat(c.Add, c.Update) {
		ids = append(ids, x.ID)
	}
	return ids
}
