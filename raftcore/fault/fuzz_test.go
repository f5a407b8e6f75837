package fault

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzSlot gives slots any contents, with a checksum that holds: what is taken for a
// record is read again as the same one.
func FuzzSlot(f *testing.F) {
	for _, r := range []Record{
		{Sequence: 1, Kind: LogCorrupt, Message: "segment 3 is damaged", At: time.Unix(1, 2).UTC(), Unrecoverable: true},
		{Sequence: 1 << 60, Kind: "New", Resolved: true, At: time.Unix(0, 0).UTC()},
	} {
		f.Add(encodeSlot(r)[:200])
	}
	f.Add([]byte("QFLT"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := make([]byte, slotSize)
		copy(b[:slotSize-4], data)
		binary.BigEndian.PutUint32(b[slotSize-4:], crc32.Checksum(b[:slotSize-4], castagnoli))
		r, state := decodeSlot(b)
		if state != slotHeld {
			return
		}
		again, state := decodeSlot(encodeSlot(r))
		if d := cmp.Diff(r, again); state != slotHeld || d != "" {
			t.Errorf("state %v, -first +second:\n%s", state, d)
		}
	})
}
