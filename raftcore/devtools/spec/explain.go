package spec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/devtools/sim"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// Observe explains what has happened. It is what sim.RunObserved asks for.
func (c *Check) Observe(x sim.Observation) error {
	switch x.Moment {
	case sim.Started:
		return c.started(x.Member, x.Restore, x.Replica.Status())
	case sim.Stepped:
		s := step{Check: c, i: x.Member, v: c.servers[x.Member], in: x.Input, fx: x.Effects, after: x.Replica.Status(), terms: x.Replica}
		if err := s.explain(); err != nil {
			return fmt.Errorf("%w\nwhile it explains %s, after which the server is %v", err, name(x.Input), &s)
		}
		return nil
	case sim.Durable:
		return c.Persist(x.Member, x.Seq)
	case sim.Left:
		return c.Leave(x.Message)
	}
	return nil // a crash is explained by the Restart that follows
}

func name(in replica.Input) string {
	if r, ok := in.(replica.Receive); ok {
		return fmt.Sprintf("the arrival of %v of term %d from %d: %+v", r.Message.Body.Kind(), r.Message.Term, r.Message.From, r.Message.Body)
	}
	return fmt.Sprintf("%T%+v", in, in)
}

// step is one Step of a replica on its way to be explained.
type step struct {
	*Check
	i     server
	v     *variables
	in    replica.Input
	fx    *replica.Effects
	after replica.Status
	terms sim.View

	before  *protocol.Membership // the configuration before a change in this step
	changed index                // the lowest index at which the actions have changed the log; 0: none
}

func (s *step) String() string {
	a := s.after
	return fmt.Sprintf("%v of term %d, voted for %d, log up to %v, stable %d, commit %d, followers %+v", a.Role, a.Term, a.Vote, a.Last, a.Stable, a.Commit, a.Followers)
}

// explain finds the actions, in the order in which a replica does things: what the input
// demands, then what it may have made possible.
func (s *step) explain() error {
	for _, part := range []func() error{
		s.input, s.rise, s.clientRequests, s.countOwnDisk, s.advanceCommitIndex, s.sends, s.stepDown, s.writes, s.applies, s.equal,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) input() error {
	switch in := s.in.(type) {
	case replica.Receive:
		return s.receive(in.Message)
	case replica.SnapshotReceived:
		return s.snapshotReceived(in)
	}
	return nil // it stutters, or what it leads to is seen in the effects
}

// rise finds the beginning of an election, and its end when it is won.
func (s *step) rise() error {
	if s.after.Term > s.v.currentTerm {
		if s.v.state == leader {
			if err := s.StepDown(s.i); err != nil {
				return err
			}
		}
		if err := s.Timeout(s.i); err != nil {
			return err
		}
		if err := s.voteForItself(); err != nil {
			return err
		}
	}
	if s.after.Role == replica.Leader && s.v.state != leader {
		if s.v.durable.currentTerm == s.v.currentTerm && s.v.durable.votedFor == s.i {
			s.v.votesGranted[s.i] = true // its answer to itself has left: HandleRequestVoteResponse
		}
		return s.BecomeLeader(s.i)
	}
	return nil
}

// voteForItself is RequestVote(i, i) and HandleRequestVoteRequest(i, i); the answer counts
// when the vote is durable.
func (s *step) voteForItself() error {
	ask := &protocol.VoteRequest{Last: s.v.log.last()}
	m := protocol.Message{From: s.i, To: s.i, Term: s.v.currentTerm, Body: ask}
	if err := s.RequestVote(s.i, s.i, m, ask); err != nil {
		return err
	}
	return s.HandleRequestVoteRequest(s.i, s.i, m, ask, true)
}

// clientRequests finds what a leader appends: whatever it writes to its log.
func (s *step) clientRequests() error {
	if s.v.state != leader || s.fx.Persist == nil {
		return nil
	}
	for _, e := range s.fx.Persist.Entries {
		s.change(e.Index)
		if e.Kind == protocol.EntryConfiguration {
			before := s.v.membership
			s.before = &before
			if err := s.ChangeConfiguration(s.i, e, s.after.Commit); err != nil {
				return err
			}
		}
		if err := s.ClientRequest(s.i, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) change(at index) {
	if s.changed == 0 || at < s.changed {
		s.changed = at
	}
}

func (s *step) countOwnDisk() error {
	if s.fx.Install != nil {
		return nil // the disk has the old log still; what was committed of it counts
	}
	return s.CountOwnDisk(s.i, s.after.Stable)
}

func (s *step) advanceCommitIndex() error {
	if s.v.state != leader || s.after.Commit <= s.v.commitIndex {
		return nil
	}
	if s.before == nil {
		return s.AdvanceCommitIndex(s.i, s.after.Commit)
	}
	// A configuration follows on the commit of a joint one, or lets more be committed.
	after := s.v.membership
	s.v.membership = *s.before
	err := s.AdvanceCommitIndex(s.i, s.after.Commit)
	s.v.membership = after
	if err == nil {
		return nil
	}
	return s.AdvanceCommitIndex(s.i, s.after.Commit)
}

// stepDown finds the end of a leadership or a candidacy without a new term.
func (s *step) stepDown() error {
	if s.v.state == follower || role(s.after.Role) != follower {
		return nil
	}
	return s.StepDown(s.i)
}

// role is how our roles map to states.
func role(r replica.Role) serverState {
	switch r {
	case replica.Candidate:
		return candidate
	case replica.Leader:
		return leader
	}
	return follower
}

// equal compares the variables with what the replica says.
func (s *step) equal() error {
	v, a := s.v, s.after
	switch {
	case v.currentTerm != a.Term:
		return fmt.Errorf("the actions end with currentTerm %d", v.currentTerm)
	case v.state != role(a.Role):
		return fmt.Errorf("the actions end with state %v", v.state)
	case v.votedFor != a.Vote:
		return fmt.Errorf("the actions end with votedFor %d", v.votedFor)
	case v.log.last() != a.Last:
		return fmt.Errorf("the actions end with a log up to %v", v.log.last())
	case v.commitIndex != a.Commit:
		return fmt.Errorf("the actions end with commitIndex %d", v.commitIndex)
	case !v.log.has(a.Base):
		return fmt.Errorf("the log was compacted up to %v, but log has term %d there", a.Base, v.log.term(a.Base.Index))
	}
	for _, f := range a.Followers {
		if v.matchIndex[f.ID] != f.Match {
			return fmt.Errorf("the actions end with matchIndex %d of %d", v.matchIndex[f.ID], f.ID)
		}
		if v.nextIndex[f.ID] != f.Next {
			if err := s.MoveNext(s.i, f.ID, f.Next); err != nil {
				return err
			}
		}
	}
	if err := s.equalConfiguration(); err != nil {
		return err
	}
	return s.equalLogs()
}

// equalLogs compares the terms of all entries when the log has changed.
func (s *step) equalLogs() error {
	if s.changed == 0 && s.fx.Install == nil {
		return nil
	}
	for at := s.after.Base.Index + 1; at <= s.after.Last.Index; at++ {
		if t, ok := s.terms.TermAt(at); !ok || t != s.v.log.term(at) {
			return fmt.Errorf("the replica's log has term %d at %d, the actions end with term %d there", t, at, s.v.log.term(at))
		}
	}
	return nil
}
