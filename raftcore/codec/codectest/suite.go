package codectest

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// sameBytes compares payloads at once and not byte for byte.
var sameBytes = cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal))

// TestSerializer checks every duty of the contract codec.Serializer.
func TestSerializer(t *testing.T, s codec.Serializer) {
	if s.Name() == "" {
		t.Error("Name is empty")
	}
	t.Run("samples cover every kind", func(t *testing.T) { testCoverage(t) })
	t.Run("samples round trip", func(t *testing.T) { testSamples(t, s) })
	t.Run("random values round trip", func(t *testing.T) { testRandom(t, s) })
	t.Run("many goroutines", func(t *testing.T) { testConcurrent(t, s) })
	t.Run("a foreign value is refused", func(t *testing.T) { testForeign(t, s) })
	t.Run("a message without body is refused", func(t *testing.T) { testNoBody(t, s) })
	if !s.Binary() {
		return
	}
	t.Run("bytes are appended to dst", func(t *testing.T) { testAppends(t, s) })
	t.Run("a value that is cut off is refused", func(t *testing.T) { testTruncated(t, s) })
	t.Run("bytes after the value are refused", func(t *testing.T) { testTrailing(t, s) })
}

// form is one kind of value with its two functions, untyped, so that each duty is
// written once.
type form struct {
	name   string
	value  any
	encode func(dst []byte) (codec.Encoded, error)
	decode func(codec.Encoded) (any, error)
}

func formOf[T any](name string, v T, enc func([]byte, T) (codec.Encoded, error), dec func(codec.Encoded) (T, error)) form {
	return form{
		name, v,
		func(dst []byte) (codec.Encoded, error) { return enc(dst, v) },
		func(e codec.Encoded) (any, error) { return dec(e) },
	}
}

func samples(s codec.Serializer) (fs []form) {
	for _, x := range Messages() {
		fs = append(fs, formOf("message "+x.Name, x.Value, s.EncodeMessage, s.DecodeMessage))
	}
	for _, x := range Entries() {
		fs = append(fs, formOf("entry "+x.Name, x.Value, s.EncodeEntry, s.DecodeEntry))
	}
	for _, x := range Commands() {
		fs = append(fs, formOf("command "+x.Name, x.Value, s.EncodeCommand, s.DecodeCommand))
	}
	for _, x := range Memberships() {
		fs = append(fs, formOf("membership "+x.Name, x.Value, s.EncodeMembership, s.DecodeMembership))
	}
	for _, x := range SessionChanges() {
		fs = append(fs, formOf("session change "+x.Name, x.Value, s.EncodeSessionChange, s.DecodeSessionChange))
	}
	for _, x := range Sessions() {
		fs = append(fs, formOf("session "+x.Name, x.Value, s.EncodeSession, s.DecodeSession))
	}
	for _, x := range SessionsHeads() {
		fs = append(fs, formOf("sessions head "+x.Name, x.Value, s.EncodeSessionsHead, s.DecodeSessionsHead))
	}
	return fs
}

func random(s codec.Serializer, seed uint64) (fs []form) {
	r := NewRandom(seed)
	for _, k := range protocol.MessageKinds() {
		fs = append(fs, formOf(k.String(), r.Message(k), s.EncodeMessage, s.DecodeMessage))
	}
	return append(fs,
		formOf("entry", r.Entry(), s.EncodeEntry, s.DecodeEntry),
		formOf("command", r.Command(), s.EncodeCommand, s.DecodeCommand),
		formOf("membership", r.Membership(), s.EncodeMembership, s.DecodeMembership),
		formOf("session change", r.SessionChange(), s.EncodeSessionChange, s.DecodeSessionChange),
		formOf("session", r.Session(), s.EncodeSession, s.DecodeSession),
		formOf("sessions head", r.SessionsHead(), s.EncodeSessionsHead, s.DecodeSessionsHead))
}

func testCoverage(t *testing.T) {
	kinds := map[protocol.MessageKind]bool{}
	for _, m := range Messages() {
		kinds[m.Value.Body.Kind()] = true
	}
	for _, k := range protocol.MessageKinds() {
		if !kinds[k] {
			t.Errorf("there is no sample of %v", k)
		}
		if NewRandom(1).body(k) == nil {
			t.Errorf("Random cannot draw a %v", k)
		}
	}
	entries := map[protocol.EntryKind]bool{}
	for _, e := range Entries() {
		entries[e.Value.Kind] = true
	}
	for k := protocol.EntryNoOp; k <= protocol.EntrySession; k++ {
		if !entries[k] {
			t.Errorf("there is no sample of entry kind %v", k)
		}
	}
}

func testSamples(t *testing.T, s codec.Serializer) {
	for _, f := range samples(s) {
		t.Run(f.name, func(t *testing.T) { f.roundTrip(t, nil) })
	}
}

func testRandom(t *testing.T, s codec.Serializer) {
	for seed := range uint64(100) {
		for _, f := range random(s, seed) {
			if !f.roundTrip(t, nil) {
				t.Fatalf("%s of seed %d", f.name, seed)
			}
		}
	}
}

func (f form) roundTrip(t *testing.T, dst []byte) bool {
	t.Helper()
	e, err := f.encode(dst)
	if err != nil {
		t.Errorf("encode: %v", err)
		return false
	}
	e.Bytes = e.Bytes[len(dst):]
	got, err := f.decode(e)
	if err != nil {
		t.Errorf("decode: %v", err)
		return false
	}
	if diff := cmp.Diff(f.value, got, sameBytes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the value changed (-sent +got):\n%s", diff)
		return false
	}
	return true
}

func testConcurrent(t *testing.T, s codec.Serializer) {
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			for _, f := range random(s, seed) {
				f.roundTrip(t, nil)
			}
		})
	}
	wg.Wait()
}

// testForeign hands over what another kind of Serializer would have made.
func testForeign(t *testing.T, s codec.Serializer) {
	foreign := []codec.Encoded{{}, {Value: struct{ X int }{1}}, {Bytes: []byte{}}}
	if s.Binary() {
		foreign = append(foreign, codec.Encoded{Bytes: []byte("\xffGET / HTTP/1.1\r\n")})
	} else {
		foreign = append(foreign, codec.Encoded{Bytes: []byte{0x90}})
	}
	for _, f := range samples(s) {
		for _, e := range foreign {
			f.mustRefuse(t, e)
		}
	}
}

func testNoBody(t *testing.T, s codec.Serializer) {
	if !s.Binary() {
		return // nothing looks into the value
	}
	_, err := s.EncodeMessage(nil, protocol.Message{From: 1, To: 2})
	if _, ok := errors.AsType[*codec.Error](err); !ok {
		t.Errorf("got %v instead of an *Error", err)
	}
}

func (f form) mustRefuse(t *testing.T, e codec.Encoded) {
	t.Helper()
	v, err := f.decode(e)
	if _, ok := errors.AsType[*codec.Error](err); !ok {
		t.Errorf("%s: decoding %q gave %v and error %v instead of an *Error", f.name, e.Bytes, v, err)
	}
}

func testAppends(t *testing.T, s codec.Serializer) {
	for _, f := range samples(s) {
		alone, err := f.encode(nil)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		roomy := append(make([]byte, 0, 4096), "head"...)
		for _, dst := range [][]byte{roomy, []byte("head")} {
			e, err := f.encode(dst)
			if err != nil || string(e.Bytes) != "head"+string(alone.Bytes) {
				t.Errorf("%s: got %q, %v instead of dst with %q behind", f.name, e.Bytes, err, alone.Bytes)
			}
			if cap(dst) == cap(roomy) && &e.Bytes[0] != &dst[0] {
				t.Errorf("%s: dst had room and was not used", f.name)
			}
			f.roundTrip(t, dst)
		}
	}
}

func testTruncated(t *testing.T, s codec.Serializer) {
	for _, f := range samples(s) {
		whole, err := f.encode(nil)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		for n := range whole.Bytes {
			f.mustRefuse(t, codec.Encoded{Bytes: slices.Clip(whole.Bytes[:n])})
		}
	}
}

func testTrailing(t *testing.T, s codec.Serializer) {
	for _, f := range samples(s) {
		e, err := f.encode(nil)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		f.mustRefuse(t, codec.Encoded{Bytes: append(e.Bytes, e.Bytes...)})
	}
}
