package codec

import (
	"fmt"
	"math"

	gomsgpack "github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Upper bounds for what a value takes beside its payloads and addresses: each number takes
// at most 9 bytes, the header of a payload, an address or a list 5.
const (
	entryBound   = 1 + 9 + 2 + 9 + 9 + 5
	commandBound = 1 + 9 + 4*9 + 5
	memberBound  = 1 + 9 + 5 + 2 + 2*5 + 9
	entryIDBound = 1 + 2*9
	bodyBound    = 96 // envelope 30, and AppendResponse with 57 is the largest without lists
)

// encDriver is what the library writes msgpack with: the primitives that it has for code
// made by its generator, which know no reflection. It does not export their type and does not
// promise that they stay: its version is pinned, this interface is checked when it is
// compiled, and golden files hold what the primitives write.
type encDriver interface {
	WriteArrayStart(n int)
	EncodeUint(n uint64)
	EncodeInt(n int64)
	EncodeBool(v bool)
	EncodeStringBytesRaw(p []byte)
	EncodeSymbol(s string) // a str, as every string in msgpack
}

// none stands for a nil payload, of which the library would make a nil.
var none = []byte{}

// writer appends msgpack to out. Its first fault sticks, and the result is refused.
type writer struct {
	library *gomsgpack.Encoder
	d       encDriver
	op      string

	out []byte // set by the library at the end
	err *Error
}

func (w *writer) init(op string) {
	w.op = op
	w.library = gomsgpack.NewEncoderBytes(&w.out, handle)
	_, w.d = gomsgpack.GenHelperEncoder(w.library)
}

// reset lets the writer write into free, which is empty and not nil.
func (w *writer) reset(free []byte) {
	w.out = free
	w.library.ResetBytes(&w.out)
}

func (w *writer) done() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.out, nil
}

// release lets go of the value and, if it is large, of the buffer.
func (w *writer) release() {
	if cap(w.out) > keepAtMost {
		w.reset(none)
	}
	w.out, w.err = nil, nil
}

func (w *writer) fail(cause error, format string, args ...any) {
	if w.err == nil {
		w.err = &Error{Op: w.op, Format: msgpackName, Offset: -1, Reason: fmt.Sprintf(format, args...), Err: cause}
	}
}

// unknown refuses a body that is not one of package protocol's.
func (w *writer) unknown(b protocol.Body) {
	w.fail(ErrUnknownKind, "a body of type %T is not one of package protocol's", b)
}

func (w *writer) array(n int) { w.d.WriteArrayStart(n) }

func (w *writer) uint(n uint64) { w.d.EncodeUint(n) }

func (w *writer) int(n int64) { w.d.EncodeInt(n) }

func (w *writer) bool(v bool) { w.d.EncodeBool(v) }

func (w *writer) bytes(p []byte) {
	switch {
	case p == nil:
		w.d.EncodeStringBytesRaw(none)
	case w.fits(len(p)):
		w.d.EncodeStringBytesRaw(p)
	}
}

func (w *writer) string(s string) {
	if w.fits(len(s)) {
		w.d.EncodeSymbol(s)
	}
}

// fits refuses lengths that msgpack cannot tell; the library would cut them.
func (w *writer) fits(n int) bool {
	if n > math.MaxUint32 {
		w.fail(nil, "a payload of %d bytes is longer than msgpack can tell (%d)", n, uint32(math.MaxUint32))
		return false
	}
	return true
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

func (w *writer) membershipFields(m *protocol.Membership) {
	w.array(len(m.Members))
	for _, x := range m.Members {
		w.array(6)
		w.uint(uint64(x.ID))
		w.string(x.Address)
		w.uint(uint64(x.Suffrage))
		w.string(x.Name)
		w.string(x.Client)
		w.uint(uint64(x.Incarnation))
	}
	w.array(len(m.Outgoing))
	for _, id := range m.Outgoing {
		w.uint(uint64(id))
	}
}

// membershipSize bounds what a membership takes, as a value of its own too.
func membershipSize(m *protocol.Membership) int {
	n := 21 + memberBound*len(m.Members) + 9*len(m.Outgoing)
	for i := range m.Members {
		n += len(m.Members[i].Address) + len(m.Members[i].Name) + len(m.Members[i].Client)
	}
	return n
}
