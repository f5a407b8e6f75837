package replica

import (
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/internal/mutation"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/quorum"
)

// ChangeReason says why a Change was refused.
type ChangeReason uint8

// The reasons. After those up to NotCommittedInTerm it helps to ask again, perhaps another
// member; after the others something must be done first.
const (
	ChangeNotLeader          ChangeReason = iota + 1 // this member does not lead
	ChangeTransferring                               // the leader hands over
	ChangeInFlight                                   // the change before is not committed, or its joint configuration not left
	ChangeNotCommittedInTerm                         // the leader has not committed an entry of its term
	ChangeWouldLoseQuorum                            // of the new configuration no majority was heard lately
	ChangeLearnerBehind                              // a learner to be promoted has not caught up, or was not heard lately
	ChangeInvalid                                    // the change contradicts the configuration; see package membership
)

// String gives the reason's name.
func (r ChangeReason) String() string {
	names := [...]string{
		ChangeNotLeader: "NotLeader", ChangeTransferring: "Transferring", ChangeInFlight: "ChangeInFlight",
		ChangeNotCommittedInTerm: "NotCommittedInTerm", ChangeWouldLoseQuorum: "WouldLoseQuorum",
		ChangeLearnerBehind: "LearnerNotCaughtUp", ChangeInvalid: "Invalid",
	}
	if int(r) < len(names) && names[r] != "" {
		return names[r]
	}
	return fmt.Sprintf("ChangeReason(%d)", uint8(r))
}

// ChangeRefused tells why a Change was refused. It is an error, for the one who asked.
type ChangeRefused struct {
	Reason ChangeReason
	Text   string
	Cause  error // of ChangeInvalid: a *membership.Error

	Leader protocol.MemberID // of ChangeNotLeader: who leads, or 0

	// Of ChangeLearnerBehind: who, what it has, and what was committed.
	Learner       protocol.MemberID
	Match, Commit protocol.Index
}

// Error implements error.
func (e *ChangeRefused) Error() string { return e.Reason.String() + ": " + e.Text }

// Unwrap gives the cause.
func (e *ChangeRefused) Unwrap() error { return e.Cause }

func refuseChange(why ChangeReason, format string, args ...any) *ChangeRefused {
	return &ChangeRefused{Reason: why, Text: fmt.Sprintf(format, args...)}
}

// change appends the next configuration, if this is the moment for it.
func (r *Replica) change(in Change) {
	answer := ChangeAnswer{ID: in.ID}
	next, refused := r.nextConfiguration(in.Change)
	if refused == nil {
		refused = r.proposeConfiguration(next)
	}
	if refused != nil {
		answer.Refused = refused
	} else {
		answer.Entry = r.log.lastID()
	}
	r.fx.Changes = append(r.fx.Changes, answer)
}

func (r *Replica) nextConfiguration(c membership.Change) (protocol.Membership, *ChangeRefused) {
	if refused := r.mayChange(); refused != nil {
		return protocol.Membership{}, refused
	}
	next, err := membership.Next(r.membership, c)
	if err != nil {
		refused := refuseChange(ChangeInvalid, "%v", err)
		refused.Cause = err
		return next, refused
	}
	for _, id := range c.Promote {
		if refused := r.caughtUp(id); refused != nil {
			return next, refused
		}
	}
	if v := quorum.Of(next); !v.Reached(r.answeredLately) {
		return next, refuseChange(ChangeWouldLoseQuorum, "of the voters %v%s only %v were heard within an election timeout, which is no majority",
			v.Incoming, orOld(v.Outgoing), r.heardOf(v))
	}
	return next, nil
}

func orOld(outgoing []protocol.MemberID) string {
	if len(outgoing) == 0 {
		return ""
	}
	return fmt.Sprintf(", before %v,", outgoing)
}

// mayChange tells what speaks against any change at the moment.
//
// A new leader waits for the commit of an entry of its own term. Otherwise two leaders
// in a row, who each changed the configuration without knowing of the other's change,
// could commit by two majorities that do not meet: each differs by one voter from the common
// one before, but by two from the other (found after the thesis, for its section 4.1).
func (r *Replica) mayChange() *ChangeRefused {
	switch c := r.configurations.last(); {
	case r.role != Leader:
		refused := refuseChange(ChangeNotLeader, "member %d is %v, and takes member %d for the leader", r.cfg.ID, r.role, r.leader)
		refused.Leader = r.leader
		return refused
	case r.transfer.to != 0:
		return refuseChange(ChangeTransferring, "leadership is being handed to member %d", r.transfer.to)
	case c.id.Index > r.commit:
		return refuseChange(ChangeInFlight, "the configuration in entry %d is not committed yet, which is so up to %d", c.id.Index, r.commit)
	case membership.IsJoint(c.membership):
		return refuseChange(ChangeInFlight, "the joint configuration in entry %d must be left first", c.id.Index)
	case r.commit < r.ownFirst && !r.cfg.Mutation.Has(mutation.ChangeBeforeCommitInTerm):
		return refuseChange(ChangeNotCommittedInTerm, "entry %d, the first of term %d, is not committed yet", r.ownFirst, r.term)
	}
	return nil
}

// caughtUp tells why a learner cannot be promoted yet: a voter that is far behind would
// hold up every commit that needs it (thesis section 4.2.1).
func (r *Replica) caughtUp(id protocol.MemberID) *ChangeRefused {
	p := r.follower(id)
	switch {
	case id == r.cfg.ID:
		return nil
	case p == nil || !r.answeredLately(id):
		refused := refuseChange(ChangeLearnerBehind, "learner %d was not heard within an election timeout", id)
		refused.Learner, refused.Commit = id, r.commit
		return refused
	case !r.isNear(p):
		refused := refuseChange(ChangeLearnerBehind, "learner %d has the log up to %d of %d entries that are committed; at most %d may be missing",
			id, p.Match, r.commit, r.cfg.MaxPromotionLag)
		refused.Learner, refused.Match, refused.Commit = id, p.Match, r.commit
		return refused
	}
	return nil
}

// answeredLately is stricter than heardLately: a new leader gives nobody credit.
func (r *Replica) answeredLately(id protocol.MemberID) bool {
	p := r.follower(id)
	return id == r.cfg.ID || p != nil && p.Heard() && p.Silent < r.cfg.ElectionTicks
}

func (r *Replica) heardOf(v quorum.Config) []protocol.MemberID {
	ids := slices.Concat(v.Incoming, v.Outgoing)
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id protocol.MemberID) bool { return !r.answeredLately(id) })
}

// proposeConfiguration appends a configuration, which takes effect at once. No limit
// holds it back: it may be what ends an overload.
func (r *Replica) proposeConfiguration(m protocol.Membership) *ChangeRefused {
	payload, err := r.cfg.Memberships.EncodeMembership(m)
	if err != nil {
		refused := refuseChange(ChangeInvalid, "the new configuration cannot be encoded: %v", err)
		refused.Cause = err
		return refused
	}
	r.appendOwn(protocol.EntryConfiguration, [][]byte{payload})
	r.adopt()
	return nil
}

// advanceChange goes on with a change whose configuration is committed: a joint one is
// left, by whoever leads; a leader that is not in it steps down.
func (r *Replica) advanceChange() {
	c := r.configurations.last()
	if c.id.Index > r.commit || r.commit < r.ownFirst || r.transfer.to != 0 {
		return
	}
	if membership.IsJoint(c.membership) {
		if refused := r.proposeConfiguration(membership.Leave(c.membership)); refused != nil {
			r.violate("the joint configuration in entry %d cannot be left: %v", c.id.Index, errors.Unwrap(refused))
		}
		return
	}
	if !r.voters.Has(r.cfg.ID) {
		r.leave()
	}
}

// leave ends the leadership of a member that was removed, or is a learner now. It has led
// until here without counting itself, for the others need somebody to commit the removal
// (paper section 6). Now the voter that is furthest takes over, so that nobody waits for an
// election timeout; see tickTransfer for when it does not.
func (r *Replica) leave() {
	if to := r.successor(); to != 0 {
		r.transfer = transfer{to: to}
		return
	}
	r.resign()
}
