package tcp_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// A caller made by hand, from the package documentation and not from the code.

func frame(typ byte, body []byte) []byte {
	b := append([]byte{'Q', 'R', typ, 0}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	crc := crc32.Checksum(append(bytes.Clone(b), body...), crc32.MakeTable(crc32.Castagnoli))
	return append(binary.BigEndian.AppendUint32(b, crc), body...)
}

func helloFrame(version uint16, from, to uint64, tail string) []byte {
	b := binary.BigEndian.AppendUint16(nil, version)
	for _, n := range []uint64{from, to, 77} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, s := range []string{"test", "msgpack/1"} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return frame(1, append(b, tail...))
}

// call dials and says hello; it gives the answer's type and body.
func call(t *testing.T, address string, hello []byte) (conn net.Conn, typ byte, body []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	typ, body = answer(t, conn)
	return conn, typ, body
}

func answer(t *testing.T, conn net.Conn) (typ byte, body []byte) {
	t.Helper()
	header := make([]byte, 12)
	if _, err := io.ReadFull(conn, header); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, binary.BigEndian.Uint32(header[4:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	if want := frame(header[2], body); !bytes.Equal(header, want[:12]) {
		t.Fatalf("the answer's header is % x instead of % x", header, want[:12])
	}
	return header[2], body
}

func TestHandshakeOnTheWire(t *testing.T) {
	_, address := start(t, options(2), newSink())
	for _, c := range []struct {
		name  string
		hello []byte
		typ   byte
		text  string // in the answer
	}{
		{"a good hello", helloFrame(1, 1, 2, ""), 2, "\x00\x01\x00\x00\x00\x00\x00\x00\x00\x16"},
		{"a field that a newer member added", helloFrame(1, 1, 2, "\x00\x06host:1added"), 2, ""},
		{"another wire version", helloFrame(9, 1, 2, ""), 3, "you speak wire version 9; this member speaks 1"},
		{"a wire version that looks different", frame(1, []byte{0, 9, 'x'}), 3, "you speak wire version 9"},
		{"the called member's own ID", helloFrame(1, 2, 2, ""), 3, "you say that you are member 2"},
		{"member 0", helloFrame(1, 0, 2, ""), 3, "you say that you are member 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, typ, body := call(t, address, c.hello)
			if typ != c.typ || !strings.Contains(string(body), c.text) {
				t.Errorf("answered with a frame of type %d: %q", typ, body)
			}
		})
	}
}

func TestGarbageIsHungUpOn(t *testing.T) {
	inbox := newSink()
	tr, address := start(t, options(2), inbox)
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "QR\x01\x00\xff\xff\xff\xff....", string(frame(4, nil)), string(frame(1, []byte{0, 1}))} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, garbage); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); len(b) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q was answered with %q, %v", garbage, b, err)
		}
		conn.Close()
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if len(inbox.disconnected) > 0 {
		t.Error("Disconnected was called for somebody who was never welcome")
	}
}

func encoded(t *testing.T, m protocol.Message) []byte {
	t.Helper()
	e, err := codec.Msgpack{}.EncodeMessage(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return e.Bytes
}

// TestUnreadableMessages: the sender is told what is wrong and hung up on; what came
// before it was received.
func TestUnreadableMessages(t *testing.T) {
	good := frame(4, encoded(t, ping(1, 2, 5)[0]))
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1]++
	for _, c := range []struct {
		name, text string
		frame      []byte
	}{
		{"of a newer version", "message of version 3; this node reads up to 2: upgrade it", frame(4, []byte{0x91, 3})},
		{"of an unknown kind", "message kind 99; this node knows 1 to 16", frame(4, []byte{0x96, 1, 99, 1, 2, 1, 0x90})},
		{"damaged", "is damaged: its checksum is", damaged},
		{"in somebody else's name", "a message from member 3 to 2 came over the connection of member 1 to 2", frame(4, encoded(t, ping(3, 2, 5)[0]))},
		{"for somebody else", "a message from member 1 to 4 came over the connection of member 1 to 2", frame(4, encoded(t, ping(1, 4, 5)[0]))},
		{"too long", "a frame of 70000000 bytes is longer than the limit of 67108864", []byte("QR\x04\x00\x04\x2c\x1d\x80----")},
		{"a hello again", "a frame of type 1 came among messages", helloFrame(1, 1, 2, "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			inbox := newSink()
			_, address := start(t, options(2), inbox)
			conn, typ, _ := call(t, address, helloFrame(1, 1, 2, ""))
			if typ != 2 {
				t.Fatal("not welcome")
			}
			if _, err := conn.Write(append(bytes.Clone(good), c.frame...)); err != nil {
				t.Fatal(err)
			}
			typ, body := answer(t, conn)
			if typ != 3 || body[0] != byte(tcp.ReasonMessage) || !strings.Contains(string(body), c.text) {
				t.Errorf("answered with a frame of type %d: %q", typ, body)
			}
			conn.Close()
			if m := next(t, inbox.messages, "the message before"); m.Body.(*protocol.ReadRequest).ID != 5 {
				t.Errorf("got %v", m)
			}
			if id := next(t, inbox.disconnected, "Disconnected"); id != 1 {
				t.Errorf("Disconnected(%d)", id)
			}
			if len(inbox.messages) > 0 {
				t.Errorf("a message too many: %v", <-inbox.messages)
			}
		})
	}
}
