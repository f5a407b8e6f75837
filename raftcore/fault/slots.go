package fault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// File is what the sink needs of its file; vfs.File is one.
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// FileSize is the length of the file in bytes.
const FileSize = slotCount * slotSize

// The file: half of the slots for unrecoverable faults, then half for the others. A slot
// is big endian:
//
//	0   4  "QFLT"
//	4   2  version, 1
//	6   2  flags: 1 unrecoverable, 2 resolved
//	8   8  sequence
//	16  8  time, nanoseconds since 1970
//	24  2  length of the kind     then the kind
//	    2  length of the message  then the message, then zeros
//	4092 4 CRC-32C of all before
const (
	slotSize   = 4096
	slotCount  = 32
	halfCount  = slotCount / 2
	maxKind    = 256
	maxMessage = 2048

	flagUnrecoverable = 1
	flagResolved      = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// slots is the file with what is known of its slots. One goroutine uses it.
type slots struct {
	file File
	used [slotCount]uint64 // sequence in the slot; 0: free
}

// prepare makes the file as long as it must be, with zeros, so that no later write
// needs new space. What is there already stays.
func (s *slots) prepare() error {
	last := make([]byte, 1)
	if _, err := s.file.ReadAt(last, FileSize-1); err == nil {
		return nil
	} else if !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the faults file: %w", err)
	}
	whole := make([]byte, FileSize)
	if _, err := s.file.ReadAt(whole, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the faults file: %w", err)
	}
	if _, err := s.file.WriteAt(whole, 0); err != nil {
		return fmt.Errorf("preparing the faults file: %w", err)
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("preparing the faults file: %w", err)
	}
	return nil
}

// load gives what the slots hold, ascending by slot; damaged counts those that hold
// neither a record nor zeros.
func (s *slots) load() (es []*entry, damaged int, err error) {
	b := make([]byte, FileSize)
	if n, err := s.file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("reading the faults file after %d bytes: %w", n, err)
	}
	for i := range slotCount {
		r, state := decodeSlot(b[i*slotSize:][:slotSize])
		switch state {
		case slotDamaged:
			damaged++
		case slotHeld:
			s.used[i] = r.Sequence
			r.Persisted = true
			e := newEntry(r)
			e.slot, e.dirty = i, false
			e.tried()
			es = append(es, e)
		}
	}
	return es, damaged, nil
}

// place gives the slot for the record: the one it had, or the oldest of its half.
func (s *slots) place(r Record, had int) int {
	if had >= 0 && s.used[had] == r.Sequence {
		return had
	}
	first := halfCount
	if r.Unrecoverable {
		first = 0
	}
	oldest := first
	for i := first; i < first+halfCount; i++ {
		if s.used[i] < s.used[oldest] {
			oldest = i
		}
	}
	return oldest
}

// put writes the record into the slot; sync makes it durable.
func (s *slots) put(slot int, r Record) error {
	// Whatever comes of the write, what was there before cannot be trusted any more.
	s.used[slot] = r.Sequence
	if _, err := s.file.WriteAt(encodeSlot(r), int64(slot)*slotSize); err != nil {
		return fmt.Errorf("writing slot %d of the faults file: %w", slot, err)
	}
	return nil
}

func (s *slots) sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("syncing the faults file: %w", err)
	}
	return nil
}

// wipe zeroes every slot.
func (s *slots) wipe() error {
	if _, err := s.file.WriteAt(make([]byte, FileSize), 0); err != nil {
		return fmt.Errorf("clearing the faults file: %w", err)
	}
	if err := s.sync(); err != nil {
		return err
	}
	s.used = [slotCount]uint64{}
	return nil
}

func encodeSlot(r Record) []byte {
	var flags uint16
	if r.Unrecoverable {
		flags |= flagUnrecoverable
	}
	if r.Resolved {
		flags |= flagResolved
	}
	b := append(make([]byte, 0, slotSize), "QFLT"...)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint64(b, r.Sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.UnixNano()))
	b = appendText(b, string(r.Kind), maxKind)
	b = appendText(b, r.Message, maxMessage)
	b = append(b, make([]byte, slotSize-4-len(b))...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func appendText(b []byte, s string, limit int) []byte {
	s = s[:min(len(s), limit)]
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

type slotState uint8

const (
	slotFree slotState = iota
	slotHeld
	slotDamaged
)

func decodeSlot(b []byte) (r Record, state slotState) {
	if binary.BigEndian.Uint32(b[slotSize-4:]) != crc32.Checksum(b[:slotSize-4], castagnoli) {
		if isZero(b) {
			return Record{}, slotFree
		}
		return Record{}, slotDamaged
	}
	if string(b[:4]) != "QFLT" || binary.BigEndian.Uint16(b[4:]) != 1 {
		return Record{}, slotDamaged
	}
	flags := binary.BigEndian.Uint16(b[6:])
	r = Record{
		Sequence:      binary.BigEndian.Uint64(b[8:]),
		At:            time.Unix(0, int64(binary.BigEndian.Uint64(b[16:]))).UTC(),
		Unrecoverable: flags&flagUnrecoverable != 0,
		Resolved:      flags&flagResolved != 0,
		Count:         1,
	}
	r.Last = r.At
	kind, rest, ok := takeText(b[24:slotSize-4], maxKind)
	if !ok {
		return Record{}, slotDamaged
	}
	r.Kind = Kind(kind)
	if r.Message, _, ok = takeText(rest, maxMessage); !ok || r.Sequence == 0 {
		return Record{}, slotDamaged
	}
	return r, slotHeld
}

func takeText(b []byte, limit int) (s string, rest []byte, ok bool) {
	n := int(binary.BigEndian.Uint16(b))
	if n > limit || n > len(b)-2 {
		return "", nil, false
	}
	return string(b[2 : 2+n]), b[2+n:], true
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
