package codectest

import (
	"bytes"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Sample is a named value.
type Sample[T any] struct {
	Name  string // unique in its list, fit for a file name
	Value T
}

// Messages gives at least one message of every kind.
func Messages() []Sample[protocol.Message] {
	samples := []Sample[protocol.Message]{}
	add := func(name string, b protocol.Body) {
		m := protocol.Message{From: 1, To: 2, Term: 7, Body: b}
		samples = append(samples, Sample[protocol.Message]{name, m})
	}
	last := protocol.EntryID{Term: 6, Index: 41}
	add("pre_vote_request", &protocol.PreVoteRequest{Last: last})
	add("pre_vote_response", &protocol.PreVoteResponse{Granted: true})
	add("vote_request", &protocol.VoteRequest{Last: last})
	add("vote_request_transfer", &protocol.VoteRequest{Last: last, Transfer: true})
	add("vote_response", &protocol.VoteResponse{Granted: false})
	add("append_request_heartbeat", &protocol.AppendRequest{Prev: last, Commit: 40, Round: 300})
	add("append_request", &protocol.AppendRequest{Prev: last, Commit: 40, Round: 70000, Entries: entries()})
	add("append_response", &protocol.AppendResponse{Match: 45, Round: 70000, Incarnation: 0xfeedfacecafebeef, Boot: 0x0123456789abcdef})
	add("append_response_rejected", &protocol.AppendResponse{Rejected: true, Match: 41, Hint: protocol.EntryID{Term: 5, Index: 39}, Incarnation: 1, Boot: 2, Unfit: true})
	add("snapshot_request", &protocol.SnapshotRequest{
		Meta:   protocol.SnapshotMeta{Last: last, Membership: joint(), Size: 5 << 30},
		Offset: 1 << 32, Data: []byte("chunk"), Checksum: 0xe3069283, Done: true, Prefix: []byte("digest of what is before"),
	})
	add("snapshot_response", &protocol.SnapshotResponse{Last: last, Offset: 1<<32 + 5})
	add("snapshot_response_rejected", &protocol.SnapshotResponse{Last: last, Rejected: true, Digest: []byte("digest of what is there")})
	add("timeout_now", &protocol.TimeoutNow{})
	add("read_request", &protocol.ReadRequest{ID: 9})
	add("read_response", &protocol.ReadResponse{ID: 9, Index: 41})
	add("read_response_rejected", &protocol.ReadResponse{ID: 10, Rejected: true})
	add("forward", &protocol.Forward{ID: 11, Payloads: [][]byte{[]byte("one"), nil, []byte("three")}})
	add("forward_session", &protocol.Forward{ID: 12, Payloads: [][]byte{[]byte("change")}, As: protocol.EntrySession})
	add("forward_refused", &protocol.ForwardRefused{ID: 11, Taken: 2, Reason: protocol.Overloaded})
	add("resigned", &protocol.Resigned{})
	add("repair_request", &protocol.RepairRequest{Entries: []protocol.EntryID{{Term: 6, Index: 41}, {Term: 7, Index: 43}}})
	add("repair_response", &protocol.RepairResponse{Entries: entries()[1:2], Missing: []protocol.EntryID{last}})
	add("pre_vote_response_of_volume", &protocol.PreVoteResponse{Granted: true, Incarnation: 7})
	add("vote_response_granted", &protocol.VoteResponse{Granted: true, Incarnation: 0xfeedfacecafebeef})
	return samples
}

// Entries gives an entry of every kind.
func Entries() []Sample[protocol.Entry] {
	es := entries()
	return []Sample[protocol.Entry]{
		{"no_op", es[0]},
		{"command", es[1]},
		{"configuration", es[2]},
		{"session", es[3]},
		{"command_large", protocol.Entry{
			Kind: protocol.EntryCommand, Term: 1 << 40, Index: 1 << 50,
			Payload: bytes.Repeat([]byte("0123456789abcdef"), 20),
		}},
	}
}

func entries() []protocol.Entry {
	return []protocol.Entry{
		{Index: 42, Term: 7, Kind: protocol.EntryNoOp},
		{Index: 43, Term: 7, Kind: protocol.EntryCommand, Payload: []byte("payload of a command")},
		{Index: 44, Term: 7, Kind: protocol.EntryConfiguration, Payload: []byte{1, 2, 3}},
		{Index: 45, Term: 7, Kind: protocol.EntrySession, Payload: []byte{0xff}},
	}
}

// Commands gives commands with and without a session.
func Commands() []Sample[protocol.Command] {
	return []Sample[protocol.Command]{
		{"plain", protocol.Command{Payload: []byte("put k v")}},
		{"session", protocol.Command{
			Client: 0x8000000000000001, Serial: 12, ReplyTo: protocol.ReplyTo{Member: 3, Request: 1000}, Payload: []byte("put k v"),
		}},
		{"empty", protocol.Command{}},
	}
}

// SessionChanges gives a change of every kind.
func SessionChanges() []Sample[protocol.SessionChange] {
	return []Sample[protocol.SessionChange]{
		{"open", protocol.SessionChange{
			Op: protocol.SessionOpen, ReplyTo: protocol.ReplyTo{Member: 3, Request: 1000},
			Timeout: 60_000, MaxSessions: 4096, MaxAnswer: 16 << 10,
		}},
		{"keep", protocol.SessionChange{Op: protocol.SessionKeep, Clients: []uint64{5, 1 << 40, 7}}},
		{"expire", protocol.SessionChange{Op: protocol.SessionExpire, Clients: []uint64{5, 6, 7}}},
		{"clock", protocol.SessionChange{Op: protocol.SessionClock, Clock: 1_234_567}},
	}
}

// Sessions gives sessions with all kinds of answers.
func Sessions() []Sample[protocol.Session] {
	return []Sample[protocol.Session]{
		{"opened", protocol.Session{Client: 41, Timeout: 60_000, MaxAnswer: 16 << 10, Active: 41, Fresh: true}},
		{"answered", protocol.Session{Client: 41, Timeout: 60_000, Active: 1 << 33, Seen: 99_000, Serial: 12, Answer: protocol.Answer{Data: []byte("answer")}}},
		{"too_large", protocol.Session{Client: 41, Timeout: 60_000, MaxAnswer: 1, Active: 43, Seen: 1, Serial: 1, Answer: protocol.Answer{TooLarge: true}}},
	}
}

// SessionsHeads gives heads of tables.
func SessionsHeads() []Sample[protocol.SessionsHead] {
	return []Sample[protocol.SessionsHead]{
		{"empty", protocol.SessionsHead{}},
		{"read", protocol.SessionsHead{Applied: 1 << 33, Clock: 99_000, ClockTerm: 7, Reading: 1_234_567}},
	}
}

// Memberships gives memberships, single and joint, with every suffrage.
func Memberships() []Sample[protocol.Membership] {
	single := joint()
	single.Outgoing = nil
	return []Sample[protocol.Membership]{
		{"single", single},
		{"joint", joint()},
		{"leaving", leaving()},
		{"empty", protocol.Membership{}},
	}
}

// leaving is a joint configuration whose old voter 7 has no place in the new one.
func leaving() protocol.Membership {
	m := joint()
	m.Members[0].Incarnation = 0x0123456789abcdef
	m.Members = append(m.Members[:2:2], protocol.Member{ID: 7, Address: "demo-7-0.demo-peers:2380", Suffrage: protocol.Leaving}, m.Members[2])
	return m
}

func joint() protocol.Membership {
	return protocol.Membership{
		Members: []protocol.Member{
			{ID: 1, Address: "demo-1-0.demo-peers:2380", Suffrage: protocol.Voter, Name: "demo-1", Client: "http://demo-1-0.demo-peers:2379"},
			{ID: 2, Address: "demo-2-0.demo-peers:2380", Suffrage: protocol.Voter},
			{ID: 300, Address: "[fd00::3]:2380", Suffrage: protocol.Learner},
		},
		Outgoing: []protocol.MemberID{1, 2, 7},
		Highest:  301,
	}
}
