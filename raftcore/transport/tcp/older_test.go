package tcp_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// An older member tells its incarnation in its hello and not in its votes. They count all the
// same: they come with the incarnation of the volume that calls.
func TestVotesOfOlderMembers(t *testing.T) {
	for kind, name := range map[protocol.MessageKind]string{protocol.KindPreVoteResponse: "PreVoteResponse", protocol.KindVoteResponse: "VoteResponse"} {
		t.Run(name, func(t *testing.T) {
			inbox := newSink()
			_, address := start(t, options(2), inbox)
			conn, typ, _ := call(t, address, helloFrame(1, 1, 2, ""))
			if typ != 2 {
				t.Fatal("not welcome")
			}
			vote := []byte{0x96, 1, byte(kind), 1, 2, 9, 0x91, 0xc3} // of version 1, from 1 to 2 in term 9: [true]
			if _, err := conn.Write(frame(4, vote)); err != nil {
				t.Fatal(err)
			}
			var got protocol.Incarnation
			switch b := next(t, inbox.messages, "the vote").Body.(type) {
			case *protocol.PreVoteResponse:
				got = b.Incarnation
			case *protocol.VoteResponse:
				got = b.Incarnation
			}
			if got != 77 {
				t.Errorf("the vote is of incarnation %d, want the 77 of the hello", got)
			}
		})
	}
}

// What an older member cannot read is not sent to it: it would hang up.
func TestOlderMembersGetWhatTheyRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		reads []byte // in the welcome
		want  []protocol.MessageKind
	}{
		{"it does not tell", nil, []protocol.MessageKind{protocol.KindReadRequest, protocol.KindReadRequest}},
		{"the first version", []byte{0, 1}, []protocol.MessageKind{protocol.KindReadRequest, protocol.KindReadRequest}},
		{"the second", []byte{0, 2}, []protocol.MessageKind{protocol.KindReadRequest, protocol.KindResigned, protocol.KindForward, protocol.KindReadRequest}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			tr, _ := start(t, options(1), newSink())
			tr.SetPeers(map[protocol.MemberID]string{2: l.Addr().String()})
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			answer(t, conn) // the hello
			if _, err := conn.Write(frame(2, append([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 22}, c.reads...))); err != nil {
				t.Fatal(err)
			}
			tr.Send(ping(1, 2, 1))
			tr.Send([]protocol.Message{
				{From: 1, To: 2, Term: 3, Body: &protocol.Resigned{}},
				{From: 1, To: 2, Term: 3, Body: &protocol.Forward{Payloads: [][]byte{{1}}, As: protocol.EntrySession}},
			})
			tr.Send(ping(1, 2, 2))
			for i, want := range c.want {
				_, body := answer(t, conn)
				m, err := codec.Msgpack{}.DecodeMessage(codec.Encoded{Bytes: bytes.Clone(body)})
				if err != nil {
					t.Fatal(err)
				}
				if got := m.Body.Kind(); got != want {
					t.Errorf("message %d is a %v, want a %v", i, got, want)
				}
			}
		})
	}
}
