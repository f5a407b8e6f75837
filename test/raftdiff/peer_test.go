package raftdiff

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// theirs is a cluster of the peer's nodes whose storage is immediate. Pre-votes are off,
// since nobody campaigns but by command, and check-quorum is on, so that members answer
// a leader of an older term, as ours do.
type theirs struct {
	t       *testing.T
	net     *network[*pb.Message]
	members []*peerMember
}

type peerMember struct {
	raft    *raft.RawNode
	storage *storage
	applied uint64
}

// storage is the peer's own in memory, with a configuration to begin with.
type storage struct {
	*raft.MemoryStorage
	voters []uint64
}

func (s *storage) InitialState() (*pb.HardState, *pb.ConfState, error) {
	hard, _, err := s.MemoryStorage.InitialState()
	return hard, &pb.ConfState{Voters: s.voters}, err
}

func newTheirs(t *testing.T, members uint64, r *rand.Rand) *theirs {
	c := &theirs{t: t, net: newNetwork[*pb.Message](r)}
	var voters []uint64
	for id := uint64(1); id <= members; id++ {
		voters = append(voters, id)
	}
	for id := uint64(1); id <= members; id++ {
		c.members = append(c.members, &peerMember{storage: &storage{raft.NewMemoryStorage(), voters}})
		c.restart(id)
	}
	return c
}

func (c *theirs) network() map[link]bool { return c.net.cut }

func (c *theirs) restart(id uint64) {
	m := c.members[id-1]
	node, err := raft.NewRawNode(&raft.Config{
		ID: id, ElectionTick: never, HeartbeatTick: 1, Storage: m.storage, Applied: m.applied, CheckQuorum: true,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 64, Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	m.raft = node
}

// fulfil does what the node asks for.
func (c *theirs) fulfil(id uint64) {
	m := c.members[id-1]
	for m.raft.HasReady() {
		rd := m.raft.Ready()
		if rd.HardState != nil && !raft.IsEmptyHardState(rd.HardState) {
			if err := m.storage.SetHardState(rd.HardState); err != nil {
				c.t.Fatal(err)
			}
		}
		if err := m.storage.Append(rd.Entries); err != nil {
			c.t.Fatal(err)
		}
		for _, msg := range rd.Messages {
			c.net.send(link{msg.GetFrom(), msg.GetTo()}, msg)
		}
		if n := len(rd.CommittedEntries); n > 0 {
			m.applied = rd.CommittedEntries[n-1].GetIndex()
		}
		m.raft.Advance(rd)
	}
}

// settle delivers everything. What the peer does not take, since it does not know the
// sender, cannot come here: nobody joins or leaves.
func (c *theirs) settle() {
	c.net.settle(uint64(len(c.members)), func(l link, m *pb.Message) { c.step(l.to, m) })
}

func (c *theirs) step(id uint64, m *pb.Message) {
	if err := c.members[id-1].raft.Step(m); err != nil {
		c.t.Fatal(err)
	}
	c.fulfil(id)
}

func (c *theirs) tick(id uint64) {
	c.members[id-1].raft.Tick()
	c.fulfil(id)
}

func (c *theirs) propose(id uint64, payload string) {
	if err := c.members[id-1].raft.Propose([]byte(payload)); err != nil {
		c.t.Fatal(err)
	}
	c.fulfil(id)
}

func (c *theirs) campaign(id uint64) {
	s := c.members[id-1].raft.BasicStatus()
	from := s.Lead
	if from == 0 {
		from = id%uint64(len(c.members)) + 1
	}
	c.step(id, &pb.Message{Type: pb.MsgTimeoutNow.Enum(), From: new(from), To: new(id), Term: new(s.GetTerm())})
}

// stands reports whether a candidacy is open still: then it cannot begin another.
func (c *theirs) stands(id uint64) bool {
	return c.members[id-1].raft.BasicStatus().RaftState == raft.StateCandidate
}

func (c *theirs) view(id uint64) view {
	m := c.members[id-1]
	s := m.raft.BasicStatus()
	v := view{Term: s.GetTerm(), Vote: s.GetVote(), Leads: s.RaftState == raft.StateLeader, Leader: s.Lead, Commit: s.GetCommit()}
	last, err := m.storage.LastIndex()
	if err != nil {
		c.t.Fatal(err)
	}
	if last == 0 {
		return v
	}
	entries, err := m.storage.Entries(1, last+1, 1<<30)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		v.Log = append(v.Log, fmt.Sprintf("%d:%s", e.GetTerm(), e.GetData()))
	}
	return v
}
