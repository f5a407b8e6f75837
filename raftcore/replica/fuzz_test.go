package replica_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// FuzzStep feeds inputs made of arbitrary bytes: no input panics, and the invariants hold
// until a violation is reported.
func FuzzStep(f *testing.F) {
	for kind := range byte(15) {
		f.Add([]byte{0, 0, 0, 0, kind, 2, 1, 1, 1, 0, 0, 1, 1, 1, 3, kind, 1, 0, 4, 0, 0, 1})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := bytes{data}
		r, err := replica.New(b.config(), b.restore())
		if err != nil {
			return
		}
		for len(b.rest) > 0 {
			fx := r.Step(b.input())
			if fx.Violation != nil {
				return
			}
			if err := r.CheckInvariants(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// bytes makes small values of fuzzed bytes; zeros when there are no more.
type bytes struct{ rest []byte }

func (b *bytes) below(n int) int {
	if len(b.rest) == 0 {
		return 0
	}
	x := int(b.rest[0]) % n
	b.rest = b.rest[1:]
	return x
}

func (b *bytes) yes() bool                 { return b.below(2) == 1 }
func (b *bytes) index() protocol.Index     { return protocol.Index(b.below(8)) }
func (b *bytes) term() protocol.Term       { return protocol.Term(b.below(6)) }
func (b *bytes) member() protocol.MemberID { return protocol.MemberID(b.below(5)) }
func (b *bytes) id() protocol.EntryID      { return protocol.EntryID{Term: b.term(), Index: b.index()} }

func (b *bytes) config() replica.Config {
	return replica.Config{
		ID: 1, ElectionTicks: 3, HeartbeatTicks: 1, Incarnation: 1, Boot: 1,
		MaxMessageBytes: 1 + b.below(100), MaxInflight: 1 + b.below(3), MaxUncommittedBytes: 100, MaxTailBytes: b.below(200), Serial: b.yes(),
		MaxInflightBytes: b.below(60), MaxApplyBytes: b.below(60), LeaseTicks: b.below(3),
		MaxPromotionLag: b.below(2), Memberships: memberships,
	}
}

func (b *bytes) restore() replica.Restore {
	r := replica.Restore{Membership: b.membership(), Hard: protocol.HardState{Term: b.term(), Vote: b.member()}}
	if b.yes() {
		r.Log = protocol.LogState{Base: b.id(), Last: b.index()}
		for range b.below(3) {
			r.Log.Terms = append(r.Log.Terms, protocol.TermStart{Term: b.term(), First: b.index()})
		}
		r.Applied = b.id()
	}
	return r
}

func (b *bytes) membership() protocol.Membership {
	m := protocol.Membership{}
	for id := protocol.MemberID(1); id <= 3; id++ {
		if s := protocol.Suffrage(b.below(3)); s != 0 {
			m.Members = append(m.Members, protocol.Member{ID: id, Suffrage: s})
		}
	}
	if b.yes() {
		m.Outgoing = []protocol.MemberID{b.member(), 2}
	}
	return m
}

func (b *bytes) input() replica.Input {
	switch b.below(16) {
	case 0:
		return replica.Tick{}
	case 1:
		kind := protocol.EntryCommand + protocol.EntryKind(2*b.below(2)) // a command or a session
		return replica.Propose{Kind: kind, Payloads: make([][]byte, b.below(4))}
	case 2:
		return replica.Read{ID: uint64(b.below(3))}
	case 3:
		return replica.Persisted{Seq: uint64(b.below(8))}
	case 4:
		return replica.Applied{Index: b.index()}
	case 5:
		return replica.Fetched{Fetch: replica.Fetch{For: b.member(), From: b.index(), To: b.index()}, Entries: b.entries(b.id()), Err: b.yes()}
	case 6:
		return replica.Compacted{Base: b.id()}
	case 7:
		return replica.SnapshotReceived{From: b.member(), Term: b.term(), Meta: protocol.SnapshotMeta{Last: b.id(), Membership: b.membership()}}
	case 8:
		return replica.SnapshotSent{To: b.member(), Last: b.id(), OK: b.yes()}
	case 9:
		return replica.Disconnected{Member: b.member()}
	case 10:
		return replica.Transfer{To: b.member()}
	case 11:
		return replica.Resign{}
	case 12:
		return replica.Fitness{Level: replica.FitnessLevel(b.below(4))}
	case 13:
		return replica.Change{Change: b.change()}
	}
	return replica.Receive{Message: protocol.Message{From: b.member(), To: 1, Term: b.term(), Body: b.body()}}
}

func (b *bytes) change() (c membership.Change) {
	for range 1 + b.below(3) {
		switch id := b.member(); b.below(5) {
		case 0:
			c.Add = append(c.Add, protocol.Member{ID: id + 2, Address: "a"})
		case 1:
			c.Promote = append(c.Promote, id)
		case 2:
			c.Demote = append(c.Demote, id)
		case 3:
			c.Remove = append(c.Remove, id)
		case 4:
			c.Update = append(c.Update, protocol.Member{ID: id, Address: "b"})
		}
	}
	return c
}

func (b *bytes) entries(prev protocol.EntryID) []protocol.Entry {
	var es []protocol.Entry
	for range b.below(4) {
		prev = protocol.EntryID{Term: prev.Term + protocol.Term(b.below(2)), Index: prev.Index + 1}
		e := protocol.Entry{Index: prev.Index, Term: prev.Term, Kind: protocol.EntryCommand}
		if b.below(4) == 3 {
			e.Kind = protocol.EntryConfiguration
			e.Payload, _ = memberships.EncodeMembership(b.membership()) // it can encode anything
		}
		es = append(es, e)
	}
	if b.below(10) == 9 {
		es = append(es, protocol.Entry{Index: b.index(), Term: b.term()})
	}
	return es
}

func (b *bytes) body() protocol.Body {
	switch protocol.MessageKind(b.below(17)) {
	case protocol.KindPreVoteRequest:
		return &protocol.PreVoteRequest{Last: b.id()}
	case protocol.KindPreVoteResponse:
		return &protocol.PreVoteResponse{Granted: b.yes()}
	case protocol.KindVoteRequest:
		return &protocol.VoteRequest{Last: b.id(), Transfer: b.yes()}
	case protocol.KindVoteResponse:
		return &protocol.VoteResponse{Granted: b.yes()}
	case protocol.KindAppendRequest:
		prev := b.id()
		return &protocol.AppendRequest{Prev: prev, Commit: b.index(), Round: uint64(b.below(3)), Entries: b.entries(prev)}
	case protocol.KindAppendResponse:
		return &protocol.AppendResponse{
			Rejected: b.yes(), Match: b.index(), Hint: b.id(), Round: uint64(b.below(3)),
			Incarnation: protocol.Incarnation(b.below(2)), Boot: protocol.Boot(b.below(3)),
		}
	case protocol.KindSnapshotRequest:
		return &protocol.SnapshotRequest{}
	case protocol.KindSnapshotResponse:
		return &protocol.SnapshotResponse{}
	case protocol.KindTimeoutNow:
		return &protocol.TimeoutNow{}
	case protocol.KindReadRequest:
		return &protocol.ReadRequest{ID: uint64(b.below(3))}
	case protocol.KindReadResponse:
		return &protocol.ReadResponse{ID: uint64(b.below(3)), Index: b.index(), Rejected: b.yes()}
	case protocol.KindForward:
		return &protocol.Forward{ID: uint64(b.below(2)), Payloads: make([][]byte, b.below(3))}
	case protocol.KindForwardRefused:
		return &protocol.ForwardRefused{ID: uint64(b.below(3)), Taken: b.below(4) - 1, Reason: protocol.RefusalReason(b.below(7))}
	case protocol.KindResigned:
		return &protocol.Resigned{}
	}
	return nil
}
