package codec_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// TestStrict: what the library would take for something else is refused.
func TestStrict(t *testing.T) {
	s := codec.Msgpack{}
	message := func(e codec.Encoded) error { _, err := s.DecodeMessage(e); return err }
	command := func(e codec.Encoded) error { _, err := s.DecodeCommand(e); return err }
	membership := func(e codec.Encoded) error { _, err := s.DecodeMembership(e); return err }
	commandWith := func(payload string) []byte { return []byte("\x96\x01\x02\x03\x04\x05" + payload) }
	for _, c := range []struct {
		name   string
		decode func(codec.Encoded) error
		bytes  []byte
		says   string
	}{
		{"nil instead of a value", command, []byte{0xc0}, `"nil" where "array"`},
		{"nil for a payload", command, commandWith("\xc0"), `"nil" where "bin"`},
		{"a list of numbers for a payload", command, commandWith("\x92\x01\x02"), `"array" where "bin"`},
		{"an extension for a payload", command, commandWith("\xd4\x05x"), `"ext" where "bin"`},
		{"a float for a number", command, written(t, []any{1, 2.5, 3, 4, 5, []byte{}}), `"float64" where "uint"`},
		{"nil for a number", command, written(t, []any{1, nil, 3, 4, 5, []byte{}}), `"nil" where "uint"`},
		{"the least negative number", command, written(t, []any{1, int64(math.MinInt64), 3, 4, 5, []byte{}}), "found the negative number -9223372036854775808"},
		{"a byte that looks like the header of a list", command, append([]byte{0xff}, make([]byte, 200)...), `"int" where "array"`},
		{"a byte that msgpack does not use", command, []byte{0x96, 0xc1}, `"invalid" where "uint"`},
		{"a byte that msgpack does not use, added", command, append(append([]byte{0x97}, commandWith("\xc4\x00")[1:]...), 0xc1), `"invalid" where "any"`},
		{"one for true", message, written(t, []any{1, 4, 1, 2, 7, []any{1}}), `"int" where "bool"`},
		{"nil for a list", membership, written(t, []any{1, nil, []any{}}), `"nil" where "array"`},
		{"bytes for an address", membership, written(t, []any{1, []any{[]any{1, []byte("host:1"), 1}}, []any{}}), `"bin" where "str"`},
		{"an offset beyond int64", message, written(t, []any{1, 8, 1, 2, 7, []any{6, 41, uint64(1 << 63), false}}), "offset is 9223372036854775808, beyond"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.decode(codec.Encoded{Bytes: c.bytes})
			if _, ok := errors.AsType[*codec.Error](err); !ok || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v instead of an *Error with %q", err, c.says)
			}
		})
	}
}

// TestSkipsEverything: a field of a newer version may be anything that msgpack has.
func TestSkipsEverything(t *testing.T) {
	want := protocol.Command{Client: 2, Serial: 3, ReplyTo: protocol.ReplyTo{Member: 4, Request: 5}, Payload: []byte("x")}
	for name, added := range map[string]string{
		"nil":                          "\xc0",
		"empty extension":              "\xc7\x00\x05",
		"extension":                    "\xc7\x03\x05abc",
		"long extension":               "\xc9\x00\x01\x00\x00\x05" + strings.Repeat("x", 1<<16),
		"fixed extension":              "\xd8\x05" + strings.Repeat("x", 16),
		"time":                         "\xd6\xff\x00\x00\x00\x01",
		"time of no known length":      "\xd5\xff\x00\x01",
		"empty extension in a map":     "\x81\xa1k\xc7\x00\xff",
		"float32":                      "\xca\x00\x00\x00\x00",
		"the largest number":           "\xcf" + strings.Repeat("\xff", 8),
		"nested deeper than recursion": strings.Repeat("\x91", 1<<20) + "\xc0",
	} {
		b := []byte("\x97\x01\x02\x03\x04\x05\xc4\x01x" + added)
		got, err := codec.Msgpack{}.DecodeCommand(codec.Encoded{Bytes: b})
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestClaimsAddedLater: a list of a newer version that claims more than is there is
// refused at once.
func TestClaimsAddedLater(t *testing.T) {
	for _, claim := range []string{"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\x92\xc0", "\x82\xc0\xc0\xc0"} {
		b := []byte("\x97\x01\x02\x03\x04\x05\xc4\x01x" + claim)
		_, err := codec.Msgpack{}.DecodeCommand(codec.Encoded{Bytes: b})
		if _, ok := errors.AsType[*codec.Error](err); !ok || !strings.Contains(err.Error(), "elements are claimed") {
			t.Errorf("% x: got %v", claim, err)
		}
	}
}

// TestFaultsLeaveNothingBehind: the next value is read and written as if nothing had been.
func TestFaultsLeaveNothingBehind(t *testing.T) {
	s := codec.Msgpack{}
	for _, v := range values(t) {
		for cut := range v.encoded {
			_, _ = v.decode(codec.Encoded{Bytes: v.encoded[:cut]})
			_, _ = s.EncodeMessage(nil, protocol.Message{From: 9})
			got, err := v.decode(codec.Encoded{Bytes: v.encoded})
			if err != nil {
				t.Fatalf("%s %s after a fault at %d: %v", v.kind, v.name, cut, err)
			}
			m, ok := got.(protocol.Message)
			if !ok {
				continue
			}
			if e, err := s.EncodeMessage(nil, m); err != nil || !bytes.Equal(e.Bytes, v.encoded) {
				t.Fatalf("%s after a fault: % x, %v", v.name, e.Bytes, err)
			}
		}
	}
}

// TestBuffersAreNotTouchedLater: what an encoder or decoder was lent stays as it was when
// the next value goes through it.
func TestBuffersAreNotTouchedLater(t *testing.T) {
	s := codec.Msgpack{}
	first, err := s.EncodeCommand(make([]byte, 0, 4096), protocol.Command{Client: 1, Payload: []byte("first")})
	if err != nil {
		t.Fatal(err)
	}
	whole := first.Bytes[:cap(first.Bytes)]
	before := bytes.Clone(whole)
	decoded, err := s.DecodeCommand(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{3, 3000, 1 << 17, 3} {
		e, err := s.EncodeCommand(nil, protocol.Command{Client: 2, Payload: bytes.Repeat([]byte("z"), size)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.DecodeCommand(e); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(whole, before) || string(decoded.Payload) != "first" {
		t.Errorf("the buffer changed, the payload is %q now", decoded.Payload)
	}
}
