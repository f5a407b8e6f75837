package raftdiff

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// ours is a cluster of our replicas whose disks are immediate.
type ours struct {
	t       *testing.T
	net     *network[protocol.Message]
	members []*ourMember // the one with ID i is at i-1
	boots   uint64
	bug     uint64 // of package mutation
	broken  error  // what a replica says is wrong with itself
}

type ourMember struct {
	raft    *replica.Replica
	hard    protocol.HardState
	log     []protocol.Entry
	applied protocol.Index
}

func newOurs(t *testing.T, members uint64, r *rand.Rand, bug uint64) *ours {
	c := &ours{t: t, net: newNetwork[protocol.Message](r), bug: bug}
	for range members {
		c.members = append(c.members, &ourMember{})
	}
	for id := uint64(1); id <= members; id++ {
		c.restart(id)
	}
	return c
}

func (c *ours) network() map[link]bool { return c.net.cut }

func (c *ours) restart(id uint64) {
	c.boots++
	m := c.members[id-1]
	var ms protocol.Membership
	for i := range c.members {
		ms.Members = append(ms.Members, protocol.Member{ID: protocol.MemberID(i + 1), Suffrage: protocol.Voter})
	}
	restore := replica.Restore{Hard: m.hard, Log: protocol.LogState{Last: protocol.Index(len(m.log))}, Membership: ms}
	for n, e := range m.log {
		if n == 0 || m.log[n-1].Term != e.Term {
			restore.Log.Terms = append(restore.Log.Terms, protocol.TermStart{Term: e.Term, First: e.Index})
		}
	}
	if m.applied > 0 {
		restore.Applied = m.log[m.applied-1].ID()
	}
	config := replica.Config{
		ID: protocol.MemberID(id), Incarnation: 1, Boot: protocol.Boot(c.boots), Seed: c.boots,
		ElectionTicks: never, HeartbeatTicks: 1,
		MaxMessageBytes: 1 << 20, MaxInflight: 64, MaxUncommittedBytes: 1 << 20, MaxTailBytes: 1 << 20,
		Memberships: codec.Memberships{Serializer: codec.Msgpack{}},
	}
	reflect.ValueOf(&config.Mutation).Elem().SetUint(c.bug) // its type is internal
	raft, err := replica.New(config, restore)
	if err != nil {
		c.t.Fatal(err)
	}
	m.raft = raft
}

// step takes an input and fulfils what it asks for, in the order of package replica's
// duties.
func (c *ours) step(id uint64, in replica.Input) {
	m := c.members[id-1]
	for inputs := []replica.Input{in}; len(inputs) > 0; {
		fx := m.raft.Step(inputs[0])
		inputs = inputs[1:]
		if fx.Violation != nil {
			c.broken = fx.Violation
			return
		}
		c.send(fx.Send)
		if p := fx.Persist; p != nil {
			m.persist(p)
			inputs = append(inputs, replica.Persisted{Seq: p.Seq})
		}
		c.send(fx.SendAfterPersist)
		if n := len(fx.Apply); n > 0 {
			m.applied = fx.Apply[n-1].Index
			inputs = append(inputs, replica.Applied{Index: m.applied})
		}
		for _, f := range fx.Fetch {
			inputs = append(inputs, replica.Fetched{Fetch: f, Entries: m.log[f.From-1 : f.To : f.To]})
		}
	}
}

func (m *ourMember) persist(p *replica.Persist) {
	if p.Hard != nil {
		m.hard = *p.Hard
	}
	if len(p.Entries) > 0 {
		at := p.Entries[0].Index - 1
		m.log = append(m.log[:at:at], p.Entries...)
	}
}

func (c *ours) send(messages []protocol.Message) {
	for _, m := range messages {
		c.net.send(link{uint64(m.From), uint64(m.To)}, m)
	}
}

func (c *ours) settle() {
	c.net.settle(uint64(len(c.members)), func(l link, m protocol.Message) { c.step(l.to, replica.Receive{Message: m}) })
}

func (c *ours) tick(id uint64) { c.step(id, replica.Tick{}) }

func (c *ours) propose(id uint64, payload string) {
	c.step(id, replica.Propose{Kind: protocol.EntryCommand, Payloads: [][]byte{[]byte(payload)}})
}

// campaign makes the member stand at once, as at the end of a transfer.
func (c *ours) campaign(id uint64) {
	s := c.members[id-1].raft.Status()
	if s.Role == replica.Candidate {
		c.step(id, replica.Resign{}) // ours waits for its timeout when it was refused
	}
	from := s.Leader
	if from == 0 {
		from = protocol.MemberID(id%uint64(len(c.members)) + 1)
	}
	c.step(id, replica.Receive{Message: protocol.Message{From: from, To: protocol.MemberID(id), Term: s.Term, Body: &protocol.TimeoutNow{}}})
}

func (c *ours) view(id uint64) view {
	m := c.members[id-1]
	if err := m.raft.CheckInvariants(); err != nil {
		c.broken = err
	}
	s := m.raft.Status()
	v := view{Term: uint64(s.Term), Vote: uint64(s.Vote), Leads: s.Role == replica.Leader, Leader: uint64(s.Leader), Commit: uint64(s.Commit)}
	for _, e := range m.log {
		v.Log = append(v.Log, fmt.Sprintf("%d:%s", e.Term, e.Payload))
	}
	return v
}
