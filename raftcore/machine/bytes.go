package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// SnapshotOf makes a Snapshot of a state that was serialized already, for state machines
// that are small enough for it. ReadSnapshot reads it.
func SnapshotOf(state []byte) Snapshot { return bytesSnapshot(state) }

type bytesSnapshot []byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes the state and, behind it, its CRC-32C in 4 bytes, little-endian.
func (s bytesSnapshot) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s)
	if err != nil {
		return int64(n), err
	}
	m, err := w.Write(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(s, castagnoli)))
	return int64(n + m), err
}

// Close implements Snapshot.
func (bytesSnapshot) Close() error { return nil }

// ErrSnapshot tells that what was read is no snapshot of SnapshotOf, or a damaged one.
var ErrSnapshot = errors.New("the snapshot is damaged")

// ReadSnapshot reads all that r has and gives the state that SnapshotOf was given. The
// errors are ErrSnapshot and those of r.
func ReadSnapshot(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	n := len(b) - crc32.Size
	if n < 0 {
		return nil, fmt.Errorf("%w: it has %d bytes, at least %d were expected", ErrSnapshot, len(b), crc32.Size)
	}
	if got, want := crc32.Checksum(b[:n], castagnoli), binary.LittleEndian.Uint32(b[n:]); got != want {
		return nil, fmt.Errorf("%w: the checksum of %d bytes is %08x, not %08x", ErrSnapshot, n, got, want)
	}
	return b[:n], nil
}
