package kv

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/quorate/quorate/raftcore/machine"
)

// A snapshot is all entries of the LSM tree, ascending by key:
//
//	"QKVSNAP" version
//	blocks: length uint32, CRC-32C of the content uint32, content
//	content: entries {key length, key, value length, value}, lengths as uvarints
//	the last block has no content; the count of all entries, uint64, follows it
//
// Integers are little-endian.
const (
	snapshotMagic   = "QKVSNAP"
	snapshotVersion = 1
	snapshotBlock   = 256 << 10
)

// maxSnapshotBlock bounds what a reader allocates: a block ends with the entry
// that fills it, and an entry is a command or smaller.
const maxSnapshotBlock = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot implements machine.StateMachine.
func (s *Store) Snapshot() (machine.Snapshot, error) {
	if err := s.fault.get(); err != nil {
		return nil, err
	}
	if _, err := s.writeMeta(); err != nil {
		return nil, err
	}
	return &snapshot{frozen: s.db.NewSnapshot()}, nil
}

type snapshot struct {
	frozen *pebble.Snapshot
}

// Close implements machine.Snapshot.
func (p *snapshot) Close() error { return p.frozen.Close() }

// WriteTo implements machine.Snapshot. It needs memory for one block.
func (p *snapshot) WriteTo(w io.Writer) (int64, error) {
	b := &blockWriter{w: w}
	b.write(append([]byte(snapshotMagic), snapshotVersion))
	it, err := p.frozen.NewIter(nil)
	if err != nil {
		return b.written, fmt.Errorf("kv: writing a snapshot: %w", err)
	}
	for ok := it.First(); ok && b.err == nil; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			b.err = err
			break
		}
		b.add(it.Key(), value)
	}
	b.finish()
	if err := errors.Join(b.err, it.Close()); err != nil {
		return b.written, fmt.Errorf("kv: writing a snapshot: %w", err)
	}
	return b.written, nil
}

type blockWriter struct {
	w       io.Writer
	block   []byte
	entries uint64
	written int64
	err     error
}

func (b *blockWriter) write(p []byte) {
	if b.err != nil {
		return
	}
	n, err := b.w.Write(p)
	b.written += int64(n)
	b.err = err
}

func (b *blockWriter) add(key, value []byte) {
	for _, x := range [][]byte{key, value} {
		b.block = binary.AppendUvarint(b.block, uint64(len(x)))
		b.block = append(b.block, x...)
	}
	if b.entries++; len(b.block) >= snapshotBlock {
		b.flush()
	}
}

func (b *blockWriter) flush() {
	var header [8]byte
	binary.LittleEndian.PutUint32(header[:], uint32(len(b.block)))
	binary.LittleEndian.PutUint32(header[4:], crc32.Checksum(b.block, castagnoli))
	b.write(header[:])
	b.write(b.block)
	b.block = b.block[:0]
}

func (b *blockWriter) finish() {
	if len(b.block) > 0 {
		b.flush()
	}
	b.flush()
	b.write(binary.LittleEndian.AppendUint64(nil, b.entries))
}

// errSnapshotDamaged tells that a snapshot is not what WriteTo wrote.
var errSnapshotDamaged = errors.New("kv: the snapshot is damaged: fetch it again from another member")

// readSnapshot calls f for every entry of a snapshot, in order. Key and value are
// valid during the call.
func readSnapshot(r io.Reader, f func(key, value []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	head := make([]byte, len(snapshotMagic)+1)
	if _, err := io.ReadFull(in, head); err != nil {
		return fmt.Errorf("%w: its header: %w", errSnapshotDamaged, err)
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin with %s", errSnapshotDamaged, snapshotMagic)
	}
	if v := head[len(snapshotMagic)]; v != snapshotVersion {
		return fmt.Errorf("kv: the snapshot has format %d, this version reads up to %d: %w", v, snapshotVersion, machine.ErrNewer)
	}
	var entries uint64
	var block []byte
	for {
		var err error
		if block, err = readBlock(in, block); err != nil {
			return err
		}
		if len(block) == 0 {
			return readEnd(in, entries)
		}
		n, err := eachEntry(block, f)
		if err != nil {
			return err
		}
		entries += n
	}
}

func readBlock(in io.Reader, space []byte) ([]byte, error) {
	var header [8]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return nil, fmt.Errorf("%w: a block: %w", errSnapshotDamaged, err)
	}
	n := binary.LittleEndian.Uint32(header[:])
	if n > maxSnapshotBlock {
		return nil, fmt.Errorf("%w: a block of %d bytes", errSnapshotDamaged, n)
	}
	if int(n) > cap(space) {
		space = make([]byte, n)
	}
	space = space[:n]
	if _, err := io.ReadFull(in, space); err != nil {
		return nil, fmt.Errorf("%w: a block: %w", errSnapshotDamaged, err)
	}
	if crc32.Checksum(space, castagnoli) != binary.LittleEndian.Uint32(header[4:]) {
		return nil, fmt.Errorf("%w: a checksum is wrong", errSnapshotDamaged)
	}
	return space, nil
}

func readEnd(in io.Reader, entries uint64) error {
	var count [8]byte
	if _, err := io.ReadFull(in, count[:]); err != nil {
		return fmt.Errorf("%w: its end: %w", errSnapshotDamaged, err)
	}
	if n := binary.LittleEndian.Uint64(count[:]); n != entries {
		return fmt.Errorf("%w: it has %d entries and says %d", errSnapshotDamaged, entries, n)
	}
	switch _, err := io.ReadFull(in, count[:1]); {
	case err == nil:
		return fmt.Errorf("%w: something follows its end", errSnapshotDamaged)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: behind its end: %w", errSnapshotDamaged, err)
	}
	return nil
}

func eachEntry(block []byte, f func(key, value []byte) error) (n uint64, err error) {
	d := decoder{b: block}
	for len(d.b) > 0 {
		key := d.bytes()
		value := d.bytes()
		if d.bad {
			return n, errSnapshotDamaged
		}
		if err := f(key, value); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}
