package codec

import (
	"bytes"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
)

// TestTooLowBound: a bound that forgets something costs a copy, not bytes.
func TestTooLowBound(t *testing.T) {
	c := protocol.Command{Client: 1 << 63, Serial: 1 << 40, Payload: bytes.Repeat([]byte("payload"), 100)}
	right, err := commands.encode([]byte("head"), c)
	if err != nil {
		t.Fatal(err)
	}
	low := form[protocol.Command]{name: "command", bound: func(*protocol.Command) int { return 1 }, write: writeCommand, read: readCommand}
	for room := range len(right.Bytes) + 2 {
		e, err := low.encode(append(make([]byte, 0, 4+room), "head"...), c)
		if err != nil || !bytes.Equal(e.Bytes, right.Bytes) {
			t.Errorf("with room for %d: got % x, %v", room, e.Bytes, err)
		}
	}
}

// TestBounds: what is written fits into what was bounded, so that a buffer grows once.
func TestBounds(t *testing.T) {
	const most = 1<<64 - 1
	id := protocol.EntryID{Term: most, Index: most}
	joint := protocol.Membership{Outgoing: []protocol.MemberID{most, most}}
	for range 20 {
		joint.Members = append(joint.Members, protocol.Member{ID: most, Address: "host.example:2380", Suffrage: protocol.Learner})
	}
	entry := protocol.Entry{Kind: protocol.EntrySession, Term: most, Index: most, Payload: []byte("x")}
	for _, b := range []protocol.Body{
		&protocol.AppendRequest{Prev: id, Commit: most, Round: most, Entries: []protocol.Entry{entry, entry, entry}},
		&protocol.AppendResponse{Match: most, Hint: id, Round: most, Incarnation: most, Boot: most},
		&protocol.SnapshotRequest{
			Meta:   protocol.SnapshotMeta{Last: id, Membership: joint, Size: 1<<63 - 1},
			Offset: 1<<63 - 1, Data: make([]byte, 70000), Checksum: 1<<32 - 1,
		},
		&protocol.SnapshotResponse{Last: id, Offset: 1<<63 - 1},
		&protocol.ReadResponse{ID: most, Index: most},
		&protocol.Forward{Payloads: [][]byte{make([]byte, 300), make([]byte, 70000)}},
	} {
		fits(t, &messages, protocol.Message{From: most, To: most, Term: most, Body: b})
	}
	fits(t, &entries, entry)
	fits(t, &commands, protocol.Command{Client: most, Serial: most, ReplyTo: protocol.ReplyTo{Member: most, Request: most}, Payload: make([]byte, 70000)})
	fits(t, &memberships, joint)
}

func fits[T any](t *testing.T, f *form[T], v T) {
	t.Helper()
	e, err := f.encode(nil, v)
	if err != nil || len(e.Bytes) > f.bound(&v) {
		t.Errorf("%s %v takes %d bytes, bounded by %d; error %v", f.name, v, len(e.Bytes), f.bound(&v), err)
	}
}
