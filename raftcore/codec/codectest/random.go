package codectest

import (
	"math/rand/v2"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Random draws values. The same source draws the same values.
type Random struct{ *rand.Rand }

// NewRandom draws from the seed.
func NewRandom(seed uint64) Random { return Random{rand.New(rand.NewPCG(seed, 0))} }

// number draws one of any magnitude: each width on the wire occurs.
func (r Random) number() uint64 { return r.Uint64() >> r.IntN(64) }

func (r Random) flag() bool { return r.IntN(2) == 0 }

func (r Random) payload() []byte {
	n := r.IntN(2) * r.IntN(300)
	if r.IntN(100) == 0 {
		n = 1<<16 - 2 + r.IntN(4) // around the widest of the short lengths
	}
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func (r Random) entryID() protocol.EntryID {
	return protocol.EntryID{Term: protocol.Term(r.number()), Index: protocol.Index(r.number())}
}

// Entry draws an entry.
func (r Random) Entry() protocol.Entry {
	kinds := []protocol.EntryKind{protocol.EntryNoOp, protocol.EntryCommand, protocol.EntryConfiguration, protocol.EntrySession}
	id := r.entryID()
	return protocol.Entry{Index: id.Index, Term: id.Term, Kind: kinds[r.IntN(len(kinds))], Payload: r.payload()}
}

// Command draws a command.
func (r Random) Command() protocol.Command {
	return protocol.Command{
		Client: r.number(), Serial: r.number(), Payload: r.payload(),
		ReplyTo: protocol.ReplyTo{Member: protocol.MemberID(r.number()), Request: r.number()},
	}
}

// SessionChange draws a change; it need not make sense to a table of sessions.
func (r Random) SessionChange() protocol.SessionChange {
	c := protocol.SessionChange{
		Op:      protocol.SessionOp(1 + r.IntN(4)),
		ReplyTo: protocol.ReplyTo{Member: protocol.MemberID(r.number()), Request: r.number()},
		Clock:   r.number(), Timeout: r.number(), MaxSessions: r.number(), MaxAnswer: r.number(),
	}
	for range r.IntN(20) {
		c.Clients = append(c.Clients, r.number())
	}
	return c
}

// Session draws a session.
func (r Random) Session() protocol.Session {
	return protocol.Session{
		Client: r.number(), Timeout: r.number(), MaxAnswer: r.number(),
		Active: protocol.Index(r.number()), Fresh: r.flag(), Seen: r.number(),
		Serial: r.number(), Answer: protocol.Answer{Data: r.payload(), TooLarge: r.flag()},
	}
}

// SessionsHead draws the head of a table.
func (r Random) SessionsHead() protocol.SessionsHead {
	return protocol.SessionsHead{
		Applied: protocol.Index(r.number()), Clock: r.number(),
		ClockTerm: protocol.Term(r.number()), Reading: r.number(),
	}
}

// Membership draws a membership; it need not make sense to Raft.
func (r Random) Membership() protocol.Membership {
	m := protocol.Membership{Highest: protocol.MemberID(r.number())}
	for range r.IntN(20) {
		m.Members = append(m.Members, protocol.Member{
			ID: protocol.MemberID(r.number()), Address: r.text(), Name: r.text(), Client: r.text(),
			Suffrage:    []protocol.Suffrage{protocol.Voter, protocol.Learner, protocol.Leaving}[r.IntN(3)],
			Incarnation: protocol.Incarnation(r.number()),
		})
	}
	for range r.IntN(20) {
		m.Outgoing = append(m.Outgoing, protocol.MemberID(r.number()))
	}
	return m
}

func (r Random) text() string {
	text := make([]byte, r.IntN(60))
	for i := range text {
		text[i] = byte('!' + r.IntN(90))
	}
	return string(text)
}

// Message draws a message of the kind.
func (r Random) Message(k protocol.MessageKind) protocol.Message {
	return protocol.Message{
		From: protocol.MemberID(r.number()), To: protocol.MemberID(r.number()),
		Term: protocol.Term(r.number()), Body: r.body(k),
	}
}

func (r Random) body(k protocol.MessageKind) protocol.Body {
	switch k {
	case protocol.KindPreVoteRequest:
		return &protocol.PreVoteRequest{Last: r.entryID()}
	case protocol.KindPreVoteResponse:
		return &protocol.PreVoteResponse{Granted: r.flag(), Incarnation: protocol.Incarnation(r.number())}
	case protocol.KindVoteRequest:
		return &protocol.VoteRequest{Last: r.entryID(), Transfer: r.flag()}
	case protocol.KindVoteResponse:
		return &protocol.VoteResponse{Granted: r.flag(), Incarnation: protocol.Incarnation(r.number())}
	case protocol.KindAppendRequest:
		return r.appendRequest()
	case protocol.KindAppendResponse:
		return &protocol.AppendResponse{
			Rejected: r.flag(), Match: protocol.Index(r.number()), Hint: r.entryID(), Round: r.number(),
			Incarnation: protocol.Incarnation(r.number()), Boot: protocol.Boot(r.number()), Unfit: r.flag(),
		}
	case protocol.KindSnapshotRequest:
		meta := protocol.SnapshotMeta{Last: r.entryID(), Membership: r.Membership(), Size: int64(r.number() >> 1)}
		return &protocol.SnapshotRequest{Meta: meta, Offset: int64(r.number() >> 1), Data: r.payload(), Checksum: r.Uint32(), Done: r.flag(), Prefix: r.payload()}
	case protocol.KindSnapshotResponse:
		return &protocol.SnapshotResponse{Last: r.entryID(), Offset: int64(r.number() >> 1), Rejected: r.flag(), Digest: r.payload()}
	case protocol.KindTimeoutNow:
		return &protocol.TimeoutNow{}
	case protocol.KindReadRequest:
		return &protocol.ReadRequest{ID: r.number()}
	case protocol.KindReadResponse:
		return &protocol.ReadResponse{ID: r.number(), Index: protocol.Index(r.number()), Rejected: r.flag()}
	case protocol.KindForward:
		b := &protocol.Forward{ID: r.number(), As: []protocol.EntryKind{0, protocol.EntryCommand, protocol.EntrySession}[r.IntN(3)]}
		for range r.IntN(20) {
			b.Payloads = append(b.Payloads, r.payload())
		}
		return b
	case protocol.KindForwardRefused:
		return &protocol.ForwardRefused{ID: r.number(), Taken: r.IntN(1 << 20), Reason: protocol.RefusalReason(r.IntN(256))}
	case protocol.KindResigned:
		return &protocol.Resigned{}
	case protocol.KindRepairRequest:
		return &protocol.RepairRequest{Entries: r.entryIDs()}
	case protocol.KindRepairResponse:
		return &protocol.RepairResponse{Entries: r.appendRequest().(*protocol.AppendRequest).Entries, Missing: r.entryIDs()}
	}
	return nil
}

func (r Random) entryIDs() (ids []protocol.EntryID) {
	for range r.IntN(20) {
		ids = append(ids, r.entryID())
	}
	return ids
}

func (r Random) appendRequest() protocol.Body {
	b := &protocol.AppendRequest{Prev: r.entryID(), Commit: protocol.Index(r.number()), Round: r.number()}
	for range r.IntN(20) {
		b.Entries = append(b.Entries, r.Entry())
	}
	return b
}
