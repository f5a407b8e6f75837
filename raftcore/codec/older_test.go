package codec_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// TestOlderBytes: what was written before fields were added is read with zeros for them. The
// files are the golden files of then: older before members had names, named before they and
// votes had incarnations, which none of these samples has.
func TestOlderBytes(t *testing.T) {
	testOlderBytes(t, "older", olderValue)
	testOlderBytes(t, "named", sampleValue)
}

func testOlderBytes(t *testing.T, dir string, value func(*testing.T, string) any) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.golden"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".golden")
		older := codec.Encoded{Bytes: readGolden(t, f).bytes}
		var got any
		if kind, _, _ := strings.Cut(name, "_"); kind == "membership" {
			got, err = codec.Msgpack{}.DecodeMembership(older)
		} else {
			got, err = codec.Msgpack{}.DecodeMessage(older)
		}
		want := value(t, name)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", f, err, diff)
		}
	}
}

// sampleValue gives the sample of the name.
func sampleValue(t *testing.T, name string) any {
	t.Helper()
	kind, rest, _ := strings.Cut(name, "_")
	for _, v := range values(t) {
		if v.kind == kind && v.name == rest {
			return v.want
		}
	}
	t.Fatalf("no sample is named %s", name)
	return nil
}

// olderValue gives the sample of the name without what was added since.
func olderValue(t *testing.T, name string) any {
	t.Helper()
	switch x := sampleValue(t, name).(type) {
	case protocol.Membership:
		return olderMembership(x)
	case protocol.Message:
		switch b := x.Body.(type) {
		case *protocol.AppendResponse:
			b.Unfit = false
		case *protocol.Forward:
			b.ID = 0
		case *protocol.SnapshotRequest:
			b.Meta.Membership = olderMembership(b.Meta.Membership)
			b.Prefix = nil
		case *protocol.SnapshotResponse:
			b.Digest = nil
		}
		return x
	}
	return nil
}

func olderMembership(m protocol.Membership) protocol.Membership {
	m = m.Clone()
	m.Highest = 0
	for i := range m.Members {
		m.Members[i].Name, m.Members[i].Client = "", ""
	}
	return m
}
