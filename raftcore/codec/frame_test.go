package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

var frameGolden = flag.Bool("rewrite-frames", false, "write testdata/frames.txt anew")

var frames = []struct {
	name  string
	place codec.Place
	flags uint8
	entry protocol.Entry
}{
	{"no-op", 0, 0, protocol.Entry{Kind: protocol.EntryNoOp, Term: 1, Index: 1}},
	{"command", 0, 0, protocol.Entry{Kind: protocol.EntryCommand, Term: 2, Index: 300, Payload: []byte("payload")}},
	{"placed", 0x0123456789abcdef, 1, protocol.Entry{Kind: protocol.EntryCommand, Term: 2, Index: 300, Payload: []byte("payload")}},
	{"largest numbers", 1 << 63, 0xff, protocol.Entry{Kind: 0xff, Term: 1<<64 - 1, Index: 1<<64 - 1, Payload: []byte{0}}},
}

// The golden bytes are the format's specification: what one version wrote, every later
// version reads.
func TestFrameGoldenBytes(t *testing.T) {
	const file = "testdata/frames.txt"
	var out strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&out, "%s: %s\n", f.name, hex.EncodeToString(f.place.AppendFrame(nil, f.flags, f.entry)))
	}
	if *frameGolden {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("frames have changed (-want +got):\n%s", d)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	for _, f := range frames {
		b := f.place.AppendFrame([]byte("before"), f.flags, f.entry)[len("before"):]
		b = append(b, "after"...)
		e, flags, n, err := f.place.ParseFrame(b)
		if err != nil || flags != f.flags || n != len(f.entry.Payload)+codec.FrameOverhead {
			t.Errorf("%s: flags %d, length %d, %v", f.name, flags, n, err)
		}
		if d := cmp.Diff(f.entry, e); d != "" {
			t.Errorf("%s (-want +got):\n%s", f.name, d)
		}
	}
}

func TestFrameIsTornWhenItEndsEarly(t *testing.T) {
	for _, f := range frames {
		b := f.place.AppendFrame(nil, f.flags, f.entry)
		for cut := range b {
			e, _, n, err := f.place.ParseFrame(b[:cut])
			if !errors.Is(err, codec.ErrFrameTorn) {
				t.Fatalf("%s cut at %d: %v", f.name, cut, err)
			}
			if cut >= codec.FrameHeader && (e.Index != f.entry.Index || n != len(b)) {
				t.Fatalf("%s cut at %d is not named: %+v, %d", f.name, cut, e, n)
			}
		}
	}
	if _, _, err := codec.ParseFrame(make([]byte, 100)); !errors.Is(err, codec.ErrFrameTorn) {
		t.Errorf("zeros: %v", err)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	for _, f := range frames {
		b := f.place.AppendFrame(nil, f.flags, f.entry)
		for bit := range len(b) * 8 {
			bad := bytes.Clone(b)
			bad[bit/8] ^= 1 << (bit % 8)
			e, _, n, err := f.place.ParseFrame(bad)
			want := codec.ErrFrameHeader
			if bit/8 >= codec.FrameHeader {
				want = codec.ErrFramePayload
			}
			if !errors.Is(err, want) {
				t.Fatalf("%s: bit %d gave %v, want %v", f.name, bit, err, want)
			}
			if want == codec.ErrFramePayload && (e.Index != f.entry.Index || e.Term != f.entry.Term || n != len(b)) {
				t.Fatalf("%s: bit %d: the damaged frame is not named: %+v", f.name, bit, e)
			}
		}
	}
}

// A frame of another place is never valid, and the header of one never goes with the
// payload and checksum of the other.
func TestFrameBelongsToItsPlace(t *testing.T) {
	e := protocol.Entry{Kind: protocol.EntryCommand, Term: 1, Index: 1, Payload: []byte("old life")}
	places := []codec.Place{0, 1, 1 << 32, 1<<32 + 1, 0xdeadbeefcafef00d}
	for _, old := range places {
		for _, now := range places {
			if old == now {
				continue
			}
			stale := old.AppendFrame(nil, 0, e)
			if _, _, _, err := now.ParseFrame(stale); err == nil {
				t.Errorf("a frame of place %x is valid at %x", old, now)
			}
			torn := slices.Concat(now.AppendFrame(nil, 0, e)[:codec.FrameHeader], stale[codec.FrameHeader:])
			if _, _, _, err := now.ParseFrame(torn); err == nil {
				t.Errorf("a payload of place %x is valid at %x", old, now)
			}
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, x := range frames {
		f.Add(uint64(x.place), x.place.AppendFrame(nil, x.flags, x.entry))
	}
	f.Fuzz(func(t *testing.T, place uint64, b []byte) {
		e, flags, n, err := codec.Place(place).ParseFrame(b)
		if err != nil {
			return
		}
		if again := codec.Place(place).AppendFrame(nil, flags, e); !bytes.Equal(again, b[:n]) {
			t.Fatalf("parsed %x, which is framed as %x", b[:n], again)
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	e := protocol.Entry{Kind: protocol.EntryCommand, Term: 1, Index: 1, Payload: make([]byte, 128)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = codec.AppendFrame(buf[:0], e)
	}
}
