package codec

import (
	"fmt"
	"math"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Upper bounds for what a value takes beside its payload: each number takes at
// most 9 bytes, the header of a payload 5.
const (
	entryBound   = 1 + 9 + 2 + 9 + 9 + 5
	commandBound = 1 + 9 + 4*9 + 5
	bodyBound    = 64
)

// writer appends msgpack to b. Once a payload is too long for msgpack, tooLong holds
// its length and the result is refused.
type writer struct {
	b       []byte
	tooLong int
}

func (w *writer) done(op string) (Encoded, error) {
	if w.tooLong > 0 {
		return Encoded{}, &Error{
			Op: op, Format: msgpackName, Offset: -1,
			Reason: fmt.Sprintf("a payload of %d bytes is longer than msgpack can tell (%d)", w.tooLong, uint32(math.MaxUint32)),
		}
	}
	return Encoded{Bytes: w.b}, nil
}

// grow makes room for n more bytes at once, so that a large value is not copied while
// it grows.
func (w *writer) grow(n int) { w.b = slices.Grow(w.b, n) }

func (w *writer) array(n int) { w.b = msgp.AppendArrayHeader(w.b, uint32(n)) }

func (w *writer) uint(n uint64) { w.b = msgp.AppendUint64(w.b, n) }

func (w *writer) int(n int64) { w.b = msgp.AppendInt64(w.b, n) }

func (w *writer) bool(v bool) { w.b = msgp.AppendBool(w.b, v) }

func (w *writer) bytes(p []byte) {
	if len(p) > math.MaxUint32 {
		w.tooLong = len(p)
		return
	}
	w.b = msgp.AppendBytes(w.b, p)
}

func (w *writer) string(s string) {
	if len(s) > math.MaxUint32 {
		w.tooLong = len(s)
		return
	}
	w.b = msgp.AppendString(w.b, s)
}

func (w *writer) entryID(id protocol.EntryID) {
	w.uint(uint64(id.Term))
	w.uint(uint64(id.Index))
}

func (w *writer) entryFields(e *protocol.Entry) {
	w.uint(uint64(e.Kind))
	w.uint(uint64(e.Term))
	w.uint(uint64(e.Index))
	w.bytes(e.Payload)
}

func (w *writer) membershipFields(m protocol.Membership) {
	w.array(len(m.Members))
	for _, x := range m.Members {
		w.array(3)
		w.uint(uint64(x.ID))
		w.string(x.Address)
		w.uint(uint64(x.Suffrage))
	}
	w.array(len(m.Outgoing))
	for _, id := range m.Outgoing {
		w.uint(uint64(id))
	}
}
