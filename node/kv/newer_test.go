package kv

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// What a newer version has written is told apart from what is damaged, and Format is the
// newest of all formats there are.
func TestNewerFormats(t *testing.T) {
	if newest := max(commandVersion, snapshotVersion, metaVersion); Format != newest {
		t.Errorf("Format is %d, but there is format %d", Format, newest)
	}
	newer := meta{}.append(nil)
	newer[0]++
	_, inStore := decodeMeta(newer)
	_, _, inCommand := split([]byte{commandVersion + 1, 1})
	s, err := Open(Options{DataDir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) //nolint:errcheck // it holds nothing
	inSnapshot := s.Restore(protocol.EntryID{Term: 1, Index: 1}, bytes.NewReader(append([]byte(snapshotMagic), snapshotVersion+1)))
	for name, err := range map[string]error{"store": inStore, "command": inCommand, "snapshot": inSnapshot} {
		if !errors.Is(err, machine.ErrNewer) {
			t.Errorf("%s: %v, want machine.ErrNewer", name, err)
		}
	}
}
