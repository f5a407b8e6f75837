package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/raftcore/protocol"
)

// A frame is how an entry is kept in a file or sent over a wire:
//
//	offset  bytes  content, numbers little-endian
//	     0      4  length n of the payload
//	     4      1  0xF5, the mark of a frame
//	     5      1  kind
//	     6      1  flags
//	     7      1  0, reserved
//	     8      8  term
//	    16      8  index
//	    24      4  CRC-32C of the 24 bytes before, seeded with the low half of the place
//	    28      n  payload
//	  28+n      4  CRC-32C of the payload, seeded with the header's CRC xor the high half of the place
//
// The header has a checksum of its own, so that a frame whose payload is damaged can
// still be named; and the payload's checksum starts from the header's, so that the
// header of one frame never goes with the payload of another.
const (
	FrameHeader   = 28
	FrameOverhead = FrameHeader + 4 // bytes that a frame has beside its payload

	FrameMark       = 0xF5
	FrameMarkOffset = 4
)

// MaxPayload is the length that a payload may have, in bytes.
const MaxPayload = 64<<20 - 1

// FrameOwnKinds is the first of the kinds that are not entries but records of the
// container's own, such as the log file's.
const FrameOwnKinds protocol.EntryKind = 0x80

// Place binds a frame to where it is kept: parsed with another place it is damaged.
// A log on files uses it so that what a file held in a former life, or what belongs
// elsewhere, is never taken for valid. It is 0 on a wire.
type Place uint64

// The errors of ParseFrame, found with errors.Is.
var (
	// ErrFrameTorn tells that the bytes end before the frame does, or are zeros where
	// its header should be: nothing was written here, or not all of it.
	ErrFrameTorn = errors.New("the frame is incomplete")
	// ErrFrameHeader tells that the header is damaged: nothing is known of the frame.
	ErrFrameHeader = errors.New("the frame's header is damaged")
	// ErrFramePayload tells that only the payload is damaged: kind, term, index and
	// length are known.
	ErrFramePayload = errors.New("the frame's payload is damaged")
)

var emptyHeader [FrameHeader]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendFrame appends the entry's frame to dst. The payload must not be longer than
// MaxPayload.
func AppendFrame(dst []byte, e protocol.Entry) []byte {
	return Place(0).AppendFrame(dst, 0, e)
}

// ParseFrame reads the frame at the beginning of src and gives the entry and the
// frame's length. The payload shares src's memory. With ErrFramePayload, and with
// ErrFrameTorn when the header was there, entry and length are given as well, the
// entry without its payload.
func ParseFrame(src []byte) (protocol.Entry, int, error) {
	e, _, n, err := Place(0).ParseFrame(src)
	return e, n, err
}

// AppendFrame appends the entry's frame, bound to the place and with flags that mean
// something to the container.
func (p Place) AppendFrame(dst []byte, flags uint8, e protocol.Entry) []byte {
	if len(e.Payload) > MaxPayload {
		panic(fmt.Sprintf("payload of entry %d has %d bytes, more than %d", e.Index, len(e.Payload), MaxPayload))
	}
	at := len(dst)
	dst = append(dst, emptyHeader[:]...)
	h := dst[at:] // in place: an array of its own would escape to the heap
	binary.LittleEndian.PutUint32(h[0:], uint32(len(e.Payload)))
	h[FrameMarkOffset], h[5], h[6] = FrameMark, byte(e.Kind), flags
	binary.LittleEndian.PutUint64(h[8:], uint64(e.Term))
	binary.LittleEndian.PutUint64(h[16:], uint64(e.Index))
	crc := p.headerCRC(h[:24])
	binary.LittleEndian.PutUint32(h[24:], crc)
	dst = append(dst, e.Payload...)
	return binary.LittleEndian.AppendUint32(dst, p.payloadCRC(crc, e.Payload))
}

// ParseFrame is like the function of that name, for a frame that was bound to the
// place; it gives the flags too.
func (p Place) ParseFrame(src []byte) (e protocol.Entry, flags uint8, n int, err error) {
	e, flags, n, err = p.ParseHeader(src)
	if err != nil {
		return e, flags, n, err
	}
	if len(src) < n {
		return e, flags, n, ErrFrameTorn
	}
	payload := src[FrameHeader : n-4 : n-4]
	crc := binary.LittleEndian.Uint32(src[24:])
	if p.payloadCRC(crc, payload) != binary.LittleEndian.Uint32(src[n-4:]) {
		return e, flags, n, ErrFramePayload
	}
	if len(payload) > 0 {
		e.Payload = payload
	}
	return e, flags, n, nil
}

// ParseHeader reads only the header: what it gives is the entry without its payload,
// the flags and the length of the whole frame, which is at most MaxPayload and
// FrameOverhead. The error is ErrFrameTorn or ErrFrameHeader.
func (p Place) ParseHeader(src []byte) (e protocol.Entry, flags uint8, n int, err error) {
	if len(src) < FrameHeader {
		return e, 0, 0, ErrFrameTorn
	}
	h := src[:FrameHeader]
	size := binary.LittleEndian.Uint32(h)
	if h[FrameMarkOffset] != FrameMark || size > MaxPayload || h[7] != 0 || p.headerCRC(h[:24]) != binary.LittleEndian.Uint32(h[24:]) {
		if isZero(h) {
			return e, 0, 0, ErrFrameTorn
		}
		return e, 0, 0, ErrFrameHeader
	}
	e.Kind = protocol.EntryKind(h[5])
	e.Term = protocol.Term(binary.LittleEndian.Uint64(h[8:]))
	e.Index = protocol.Index(binary.LittleEndian.Uint64(h[16:]))
	return e, h[6], int(size) + FrameOverhead, nil
}

func (p Place) headerCRC(h []byte) uint32 {
	return crc32.Update(uint32(p), castagnoli, h)
}

func (p Place) payloadCRC(header uint32, payload []byte) uint32 {
	return crc32.Update(header^uint32(p>>32), castagnoli, payload)
}

func isZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
