package machine

import (
	"bytes"
	"errors"
	"testing"
)

func TestSnapshotOf(t *testing.T) {
	for _, state := range []string{"", "a", "some state"} {
		var b bytes.Buffer
		n, err := SnapshotOf([]byte(state)).WriteTo(&b)
		if err != nil || n != int64(b.Len()) {
			t.Fatalf("%q: WriteTo gives %d, %v; %d bytes were written", state, n, err, b.Len())
		}
		if got, err := ReadSnapshot(bytes.NewReader(b.Bytes())); err != nil || string(got) != state {
			t.Errorf("%q came back as %q, %v", state, got, err)
		}
		for i := range b.Bytes() {
			for _, bad := range [][]byte{b.Bytes()[:i], flipped(b.Bytes(), i)} {
				if _, err := ReadSnapshot(bytes.NewReader(bad)); !errors.Is(err, ErrSnapshot) {
					t.Errorf("%q: damage at byte %d gives %v", state, i, err)
				}
			}
		}
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}
