package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	hashicorp "github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/codec/codectest"
	"github.com/quorate/quorate/raftcore/protocol"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is one file of testdata: what a value is to any reader of msgpack, and its bytes.
//
//	# comment
//	= what is read
//	hex bytes
type golden struct {
	comment, read string
	bytes         []byte
}

func (g golden) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n= %s\n", g.comment, g.read)
	for line := range chunks(g.bytes, 16) {
		fmt.Fprintf(&b, "% x\n", line)
	}
	return b.String()
}

func chunks(p []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(p) > n {
			if !yield(p[:n]) {
				return
			}
			p = p[n:]
		}
		yield(p)
	}
}

func readGolden(t testing.TB, path string) (g golden) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update", err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			g.comment = rest
		} else if rest, ok := strings.CutPrefix(line, "= "); ok {
			g.read = rest
		} else {
			b, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			g.bytes = append(g.bytes, b...)
		}
	}
	return g
}

// checkGolden compares with the file, or rewrites it.
func checkGolden(t *testing.T, path string, g golden) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(g.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readGolden(t, path).String(), g.String()); diff != "" {
		t.Errorf("%s: files and older members have other bytes (-golden +now):\n%s", path, diff)
	}
}

// handle is hashicorp/go-msgpack's, for reading and writing without our own code.
var handle = func() *hashicorp.MsgpackHandle {
	h := &hashicorp.MsgpackHandle{WriteExt: true}
	h.RawToString = false
	return h
}()

// generic gives what a reader finds that knows nothing of us.
func generic(t testing.TB, b []byte) any {
	t.Helper()
	var v []any
	d := hashicorp.NewDecoderBytes(b, handle)
	if err := d.Decode(&v); err != nil {
		t.Fatalf("go-msgpack cannot read % x: %v", b, err)
	}
	if d.NumBytesRead() != len(b) {
		t.Fatalf("go-msgpack read %d of %d bytes", d.NumBytesRead(), len(b))
	}
	return v
}

func written(t testing.TB, v any) []byte {
	t.Helper()
	var b []byte
	if err := hashicorp.NewEncoderBytes(&b, handle).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b
}

func text(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = text(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []byte:
		return "bin(" + hex.EncodeToString(v) + ")"
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

type value struct {
	kind, name string
	want       any
	encoded    []byte
	decode     func(codec.Encoded) (any, error)
}

func valuesOf[T any](t testing.TB, kind string, xs []codectest.Sample[T], enc func([]byte, T) (codec.Encoded, error), dec func(codec.Encoded) (T, error)) (vs []value) {
	for _, x := range xs {
		e, err := enc(nil, x.Value)
		if err != nil {
			t.Fatalf("%s %s: %v", kind, x.Name, err)
		}
		vs = append(vs, value{kind, x.Name, x.Value, e.Bytes, func(e codec.Encoded) (any, error) { return dec(e) }})
	}
	return vs
}

func values(t testing.TB) []value {
	s := codec.Msgpack{}
	vs := valuesOf(t, "message", codectest.Messages(), s.EncodeMessage, s.DecodeMessage)
	vs = append(vs, valuesOf(t, "entry", codectest.Entries(), s.EncodeEntry, s.DecodeEntry)...)
	vs = append(vs, valuesOf(t, "command", codectest.Commands(), s.EncodeCommand, s.DecodeCommand)...)
	vs = append(vs, valuesOf(t, "session_change", codectest.SessionChanges(), s.EncodeSessionChange, s.DecodeSessionChange)...)
	vs = append(vs, valuesOf(t, "session", codectest.Sessions(), s.EncodeSession, s.DecodeSession)...)
	vs = append(vs, valuesOf(t, "sessions_head", codectest.SessionsHeads(), s.EncodeSessionsHead, s.DecodeSessionsHead)...)
	return append(vs, valuesOf(t, "membership", codectest.Memberships(), s.EncodeMembership, s.DecodeMembership)...)
}

// TestGolden holds the format fast: these bytes are written, every reader of msgpack
// can read them, and they give the value.
func TestGolden(t *testing.T) {
	for _, v := range values(t) {
		t.Run(v.kind+"/"+v.name, func(t *testing.T) {
			path := filepath.Join("testdata", v.kind, v.name+".golden")
			checkGolden(t, path, golden{v.kind + " " + v.name, text(generic(t, v.encoded)), v.encoded})
			got, err := v.decode(codec.Encoded{Bytes: readGolden(t, path).bytes})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the golden bytes give (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryGoldenFileIsChecked finds files whose sample was removed: what was written
// once must be read for ever.
func TestEveryGoldenFileIsChecked(t *testing.T) {
	known := map[string]bool{}
	for _, v := range values(t) {
		known[filepath.Join("testdata", v.kind, v.name+".golden")] = true
	}
	for _, kind := range []string{"message", "entry", "command", "membership", "session_change", "session", "sessions_head"} {
		files, err := filepath.Glob(filepath.Join("testdata", kind, "*.golden"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", kind, len(files), err)
		}
		for _, f := range files {
			if !known[f] {
				t.Errorf("%s belongs to no sample", f)
			}
		}
	}
}

// TestFieldsOfNewerVersions: what a newer release adds at the end of any array is
// skipped, whatever it is.
func TestFieldsOfNewerVersions(t *testing.T) {
	added := []any{map[string]any{"k": []any{1, "x", nil}}, []byte("bytes"), -1, 3.5, true}
	for _, v := range values(t) {
		grown, n := grow(generic(t, v.encoded), added)
		b := written(t, grown)
		got, err := v.decode(codec.Encoded{Bytes: b})
		if err != nil {
			t.Errorf("%s %s with %d grown arrays: %v", v.kind, v.name, n, err)
		} else if diff := cmp.Diff(v.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", v.kind, v.name, diff)
		}
		if v.name == "append_request" || v.name == "joint" {
			checkGolden(t, filepath.Join("testdata", "grown", v.name+".golden"),
				golden{v.kind + " " + v.name + " as a newer release may write it", text(generic(t, b)), b})
		}
	}
}

// TestTimeoutNowMayGrow: its body is an empty array, which grow takes for a list.
func TestTimeoutNowMayGrow(t *testing.T) {
	m, err := codec.Msgpack{}.DecodeMessage(codec.Encoded{Bytes: written(t, []any{1, 9, 1, 2, 7, []any{"new", 1}})})
	if _, ok := m.Body.(*protocol.TimeoutNow); !ok || err != nil {
		t.Errorf("got %v, %v", m, err)
	}
}

// grow adds fields to every array that is a struct: those whose elements are not all
// alike. Lists (of entries, members, payloads, voters) cannot grow so.
func grow(v any, added []any) (any, int) {
	a, ok := v.([]any)
	if !ok {
		return v, 0
	}
	grown, n := make([]any, 0, len(a)+len(added)), 0
	for _, x := range a {
		g, k := grow(x, added)
		grown, n = append(grown, g), n+k
	}
	if isList(a) {
		return grown, n
	}
	return append(grown, added...), n + 1
}

func isList(a []any) bool {
	if len(a) == 0 {
		return true // TimeoutNow's body has an array of its own test
	}
	switch a[0].(type) {
	case []any:
		_, like := a[len(a)-1].([]any) // SnapshotRequest begins with its SnapshotMeta
		return like
	case []byte:
		return true
	}
	for _, x := range a {
		switch x.(type) {
		case int64, uint64:
		default:
			return false
		}
	}
	// Numbers only: the outgoing voters, unless it is a body.
	return len(a) == 3 && a[len(a)-1] == int64(7)
}

// TestRefused: what cannot be read says why, in words for the one who must act.
func TestRefused(t *testing.T) {
	s := codec.Msgpack{}
	message := func(e codec.Encoded) error { _, err := s.DecodeMessage(e); return err }
	entry := func(e codec.Encoded) error { _, err := s.DecodeEntry(e); return err }
	command := func(e codec.Encoded) error { _, err := s.DecodeCommand(e); return err }
	membership := func(e codec.Encoded) error { _, err := s.DecodeMembership(e); return err }
	change := func(e codec.Encoded) error { _, err := s.DecodeSessionChange(e); return err }
	huge := []byte{0xdd, 0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		name   string
		decode func(codec.Encoded) error
		bytes  []byte
		is     error
	}{
		{"newer_message", message, written(t, []any{3, "all", "new"}), codec.ErrNewerVersion},
		{"newer_entry", entry, written(t, []any{7}), codec.ErrNewerVersion},
		{"newer_command", command, written(t, []any{2, 1, 2, 3, 4, []byte{}}), codec.ErrNewerVersion},
		{"newer_membership", membership, written(t, []any{2, []any{}, []any{}}), codec.ErrNewerVersion},
		{"unknown_message_kind", message, written(t, []any{1, 99, 1, 2, 7, []any{}}), codec.ErrUnknownKind},
		{"unknown_entry_kind", entry, written(t, []any{1, 5, 7, 42, []byte("x")}), codec.ErrUnknownKind},
		{"unknown_entry_kind_within", message, written(t, []any{1, 5, 1, 2, 7, []any{6, 41, 40, 3, []any{[]any{9, 7, 42, []byte{}}}}}), codec.ErrUnknownKind},
		{"newer_session_change", change, written(t, []any{2, "all", "new"}), codec.ErrNewerVersion},
		{"unknown_session_change", change, written(t, []any{1, 5, 0, 0, []any{}, 0, 0, 0, 0}), codec.ErrUnknownKind},
		{"unknown_forwarded_kind", message, written(t, []any{2, 12, 1, 2, 7, []any{[]any{}, 1, 3}}), codec.ErrUnknownKind},
		{"unknown_suffrage", membership, written(t, []any{1, []any{[]any{1, "host:1", 4}}, []any{}}), codec.ErrUnknownKind},
		{"message_kind_too_large", message, written(t, []any{1, 256 + 5, 1, 2, 7, []any{}}), nil},
		{"version_zero", entry, written(t, []any{0, 1, 7, 42, []byte{}}), nil},
		{"too_few_fields", command, written(t, []any{1, 2, 3}), nil},
		{"too_few_fields_within", message, written(t, []any{1, 3, 1, 2, 7, []any{6, 41}}), nil},
		{"no_array", command, written(t, map[string]any{"a": 1}), nil},
		{"text_for_number", command, written(t, []any{1, "client", 3, 4, 5, []byte{}}), nil},
		{"negative_number", command, written(t, []any{1, -1, 3, 4, 5, []byte{}}), nil},
		{"text_for_payload", command, written(t, []any{1, 2, 3, 4, 5, "text"}), nil},
		{"four_billion_entries", message, append(written(t, []any{1, 5, 1, 2, 7, []any{6, 41, 40, 3, []any{}}})[:11], huge...), nil},
		{"four_billion_fields", command, huge, nil},
		{"payload_longer_than_bytes", command, []byte{0x96, 1, 2, 3, 4, 5, 0xc6, 0xff, 0xff, 0xff, 0xff, 'x'}, nil},
		{"nothing", message, []byte{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.decode(codec.Encoded{Bytes: c.bytes})
			e, ok := errors.AsType[*codec.Error](err)
			if !ok {
				t.Fatalf("got %v instead of an *Error", err)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if e.Offset < 0 || e.Offset > len(c.bytes) {
				t.Errorf("the offset %d is not within %d bytes", e.Offset, len(c.bytes))
			}
			checkGolden(t, filepath.Join("testdata", "refused", c.name+".golden"), golden{strings.ReplaceAll(c.name, "_", " "), err.Error(), c.bytes})
		})
	}
}

// TestDecodedPayloadsShareTheInput: decoding copies nothing, and an append to one payload
// cannot reach the next.
func TestDecodedPayloadsShareTheInput(t *testing.T) {
	e, err := codec.Msgpack{}.EncodeMessage(nil, codectest.Messages()[6].Value)
	if err != nil {
		t.Fatal(err)
	}
	m, err := codec.Msgpack{}.DecodeMessage(e)
	if err != nil {
		t.Fatal(err)
	}
	p := entriesOf(t, m)[1].Payload
	at := bytes.Index(e.Bytes, p)
	if at < 0 || &e.Bytes[at] != &p[0] || cap(p) != len(p) {
		t.Errorf("the payload has length %d, capacity %d, shared: %v", len(p), cap(p), at >= 0 && &e.Bytes[at] == &p[0])
	}
}
