package sim

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// sending checks what a message promises at the moment when it leaves: that it is on
// disk, and that it is true. What is promised must survive a crash that comes right
// after it (paper section 5.2 and figure 2).
func (k *checker) sending(m *member, msg protocol.Message) {
	if msg.From != m.id || msg.To == m.id || msg.To < 1 || int(msg.To) > len(k.c.members) {
		k.c.fail(Invariants, "member %d sends %v", m.id, describe(msg))
		return
	}
	switch b := msg.Body.(type) {
	case *protocol.VoteRequest:
		if m.fit == replica.Unable && m.term == msg.Term && m.role == replica.Candidate {
			k.c.fail(Fitness, "member %d stands for election, though it must not lead", m.id)
		}
		k.vote(m, msg.Term, m.id)
		if m.term == msg.Term && m.role == replica.Candidate && !k.holds(&m.disk.log, b.Last) {
			k.c.fail(Promises, "member %d stands for election with a log up to %v, its disk has %v", m.id, b.Last, m.disk.log.Last())
		}
	case *protocol.VoteResponse:
		if b.Granted {
			k.vote(m, msg.Term, msg.To)
		}
	case *protocol.AppendResponse:
		if !b.Rejected {
			k.acknowledge(m, msg, b.Match)
		}
	}
}

func (k *checker) vote(m *member, term protocol.Term, candidate protocol.MemberID) {
	if hard := m.disk.hard; hard.Term < term || hard.Term == term && hard.Vote != candidate {
		k.c.fail(Promises, "member %d votes for %d in term %d, its disk has term %d and a vote for %d", m.id, candidate, term, hard.Term, hard.Vote)
		return
	}
	b := ballot{m.id, m.volume, term}
	if other, voted := k.votes[b]; voted && other != candidate {
		k.c.fail(Promises, "member %d votes for %d in term %d, after a vote for %d", m.id, candidate, term, other)
	}
	k.votes[b] = candidate
}

// acknowledge checks that the sender's disk has what the leader of the term has, up
// to match. The leader may be gone meanwhile; then the log that it was elected with is
// compared.
func (k *checker) acknowledge(m *member, msg protocol.Message, match protocol.Index) {
	if msg.Term != m.term {
		return
	}
	if match > m.disk.log.Last().Index {
		k.c.fail(Promises, "member %d acknowledges entries up to %d, its disk has %v", m.id, match, m.disk.log.Last())
		return
	}
	if match <= m.disk.log.Base().Index {
		return
	}
	mine, _ := m.disk.log.Term(match)
	l := k.c.member(msg.To)
	if l.raft == nil || l.role != replica.Leader || l.term != msg.Term {
		return
	}
	if theirs, ok := l.log.Term(match); ok && theirs != mine {
		k.c.fail(Promises, "member %d acknowledges entries up to %d of term %d, its disk has term %d there", m.id, match, theirs, mine)
	}
}
