package tcp

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// The types of frames.
const (
	frameHello   byte = 1
	frameWelcome byte = 2
	frameRefusal byte = 3
	frameMessage byte = 4
)

const (
	headerSize = 12
	// maxName bounds each string of the handshake, maxControl a frame of it.
	maxName    = 1024
	maxControl = 4096
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame makes room for a frame's header; endFrame fills it in for the frame that
// begins at start and reaches to the end of b.
func beginFrame(b []byte) []byte { return append(b, 'Q', 'R', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }

func endFrame(b []byte, start int, typ byte) []byte {
	f := b[start:]
	f[2] = typ
	binary.BigEndian.PutUint32(f[4:], uint32(len(f)-headerSize))
	binary.BigEndian.PutUint32(f[8:], checksum(f))
	return b
}

// checksum covers the header before the checksum, and the body.
func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:8], castagnoli), castagnoli, frame[headerSize:])
}

// bodyLength reads the header of a frame and bounds its length.
func bodyLength(header []byte, limit int) (typ byte, n int, err error) {
	if header[0] != 'Q' || header[1] != 'R' || header[3] != 0 {
		return 0, 0, &foreignError{first: [4]byte(header)}
	}
	size := binary.BigEndian.Uint32(header[4:])
	if uint64(size) > uint64(limit) {
		return 0, 0, fmt.Errorf("a frame of %d bytes is longer than the limit of %d", size, limit)
	}
	return header[2], int(size), nil
}

// foreignError tells that bytes are not frames at all.
type foreignError struct{ first [4]byte }

func (e *foreignError) Error() string {
	return fmt.Sprintf("a frame begins with % x: the other side speaks another protocol", e.first)
}

// tls reports whether it is the beginning of a TLS handshake.
func (e *foreignError) tls() bool { return e.first[0] == 0x16 && e.first[1] == 3 }

// verify checks the checksum of a whole frame.
func verify(frame []byte) error {
	if want, got := binary.BigEndian.Uint32(frame[8:]), checksum(frame); want != got {
		return fmt.Errorf("a frame of %d bytes is damaged: its checksum is %08x instead of %08x", len(frame), got, want)
	}
	return nil
}

// readControl reads one frame of the handshake, and nothing behind it.
func readControl(r io.Reader) (typ byte, body []byte, err error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	typ, n, err := bodyLength(header, maxControl)
	if err != nil {
		return 0, nil, err
	}
	frame := make([]byte, headerSize+n)
	copy(frame, header)
	if _, err := io.ReadFull(r, frame[headerSize:]); err != nil {
		return 0, nil, err
	}
	return typ, frame[headerSize:], verify(frame)
}

// cursor takes big endian numbers and names off b. When b ends early, bad is set
// and everything is zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uint(size int) (n uint64) {
	for _, x := range c.take(size) {
		n = n<<8 | uint64(x)
	}
	return n
}

func (c *cursor) name() string { return string(c.take(int(c.uint(2)))) }

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.b) {
		c.bad = true
		return nil
	}
	p := c.b[:n]
	c.b = c.b[n:]
	return p
}

// appendName appends a string, cut to what a name may have.
func appendName(b []byte, s string) []byte {
	s = s[:min(len(s), maxName)]
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
