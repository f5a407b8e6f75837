package codec_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/codec/codectest"
	"github.com/quorate/quorate/raftcore/protocol"
)

func TestMsgpackConforms(t *testing.T)  { codectest.TestSerializer(t, codec.Msgpack{}) }
func TestIdentityConforms(t *testing.T) { codectest.TestSerializer(t, codec.Identity{}) }

func entriesOf(t testing.TB, m protocol.Message) []protocol.Entry {
	t.Helper()
	b, ok := m.Body.(*protocol.AppendRequest)
	if !ok {
		t.Fatalf("a %v is no AppendRequest", m.Body.Kind())
	}
	return b.Entries
}

// TestClaimsAllocateNothing puts the header of an array, and of a payload, of four
// billion elements at each place of each value: the claim must be seen through before
// memory is taken for it.
func TestClaimsAllocateNothing(t *testing.T) {
	for _, claim := range []string{"\xdd\xff\xff\xff\xff", "\xdd\x00\x10\x00\x00", "\xc6\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff"} {
		for _, v := range values(t) {
			for at := range v.encoded {
				b := append(append(append([]byte{}, v.encoded[:at]...), claim...), v.encoded[at:]...)
				if took := allocated(func() { _, _ = v.decode(codec.Encoded{Bytes: b}) }); took > 64<<10 {
					t.Errorf("%s %s with % x at %d: decoding %d bytes took %d", v.kind, v.name, claim, at, len(b), took)
				}
			}
		}
	}
}

// allocated gives the bytes that f takes, what others take at the same time included:
// so it is the least of three.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least < 1<<10 {
			break
		}
	}
	return least
}

func fuzz[T any](f *testing.F, kind string, enc func([]byte, T) (codec.Encoded, error), dec func(codec.Encoded) (T, error)) {
	for _, pattern := range []string{kind, "refused", "grown"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern, "*.golden"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no corpus in testdata/%s: %v", pattern, err)
		}
		for _, file := range files {
			f.Add(readGolden(f, file).bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := dec(codec.Encoded{Bytes: b})
		if err != nil {
			if _, ok := errors.AsType[*codec.Error](err); !ok {
				t.Fatalf("%v is no *Error", err)
			}
			return
		}
		e, err := enc(nil, v)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := dec(e)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
		if diff := cmp.Diff(v, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-first +second:\n%s", diff)
		}
	})
}

func FuzzMessage(f *testing.F) {
	fuzz(f, "message", codec.Msgpack{}.EncodeMessage, codec.Msgpack{}.DecodeMessage)
}

func FuzzEntry(f *testing.F) {
	fuzz(f, "entry", codec.Msgpack{}.EncodeEntry, codec.Msgpack{}.DecodeEntry)
}

func FuzzCommand(f *testing.F) {
	fuzz(f, "command", codec.Msgpack{}.EncodeCommand, codec.Msgpack{}.DecodeCommand)
}

func FuzzMembership(f *testing.F) {
	fuzz(f, "membership", codec.Msgpack{}.EncodeMembership, codec.Msgpack{}.DecodeMembership)
}

func FuzzSessionChange(f *testing.F) {
	fuzz(f, "session_change", codec.Msgpack{}.EncodeSessionChange, codec.Msgpack{}.DecodeSessionChange)
}

func FuzzSession(f *testing.F) {
	fuzz(f, "session", codec.Msgpack{}.EncodeSession, codec.Msgpack{}.DecodeSession)
}

func FuzzSessionsHead(f *testing.F) {
	fuzz(f, "sessions_head", codec.Msgpack{}.EncodeSessionsHead, codec.Msgpack{}.DecodeSessionsHead)
}

// batch is an AppendRequest of n entries with payloads of the size.
func batch(n, size int) protocol.Message {
	b := &protocol.AppendRequest{Prev: protocol.EntryID{Term: 7, Index: 123456}, Commit: 123400, Round: 9}
	for i := range n {
		b.Entries = append(b.Entries, protocol.Entry{Index: protocol.Index(123457 + i), Term: 7, Kind: protocol.EntryCommand, Payload: make([]byte, size)})
	}
	return protocol.Message{From: 1, To: 2, Term: 7, Body: b}
}

func bench[T any](b *testing.B, name string, v T, enc func([]byte, T) (codec.Encoded, error), dec func(codec.Encoded) (T, error)) {
	e, err := enc(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 2*len(e.Bytes)+100)
	b.Run("encode/"+name, func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(e.Bytes)))
		for b.Loop() {
			if _, err := enc(dst, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/"+name, func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(e.Bytes)))
		for b.Loop() {
			if _, err := dec(e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkMsgpack(b *testing.B) {
	s := codec.Msgpack{}
	for _, size := range []int{128, 4096} {
		c := protocol.Command{Client: 77777777777, Serial: 123456, ReplyTo: protocol.ReplyTo{Member: 3, Request: 99999999}, Payload: make([]byte, size)}
		bench(b, fmt.Sprintf("command-%dB", size), c, s.EncodeCommand, s.DecodeCommand)
		bench(b, fmt.Sprintf("append-64x%dB", size), batch(64, size), s.EncodeMessage, s.DecodeMessage)
	}
	bench(b, "heartbeat", batch(0, 0), s.EncodeMessage, s.DecodeMessage)
	bench(b, "append-response", protocol.Message{
		From: 2, To: 1, Term: 7,
		Body: &protocol.AppendResponse{Match: 123456, Round: 9, Incarnation: 1 << 60, Boot: 1 << 61},
	}, s.EncodeMessage, s.DecodeMessage)
}

// TestAllocations holds what the hot path may allocate: nothing to encode into a buffer
// with room, and to decode a batch its body and its entries.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool drops one in four at random")
	}
	s := codec.Msgpack{}
	m, c := batch(64, 128), protocol.Command{Serial: 5, Payload: make([]byte, 128)}
	dst := make([]byte, 0, 1<<20)
	em, err1 := s.EncodeMessage(nil, m)
	ec, err2 := s.EncodeCommand(nil, c)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		want float64
		f    func() error
	}{
		{"encode message", 0, func() error { _, err := s.EncodeMessage(dst, m); return err }},
		{"decode message", 2, func() error { _, err := s.DecodeMessage(em); return err }},
		{"encode command", 0, func() error { _, err := s.EncodeCommand(dst, c); return err }},
		{"decode command", 0, func() error { _, err := s.DecodeCommand(ec); return err }},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := x.f(); err != nil {
				t.Fatal(err)
			}
		})
		if got > x.want {
			t.Errorf("%s: %v allocations, at most %v are meant", x.name, got, x.want)
		}
	}
}
