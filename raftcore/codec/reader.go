package codec

import (
	"errors"
	"fmt"
	"io"
	"math"

	gomsgpack "github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/raftcore/protocol"
)

// decDriver is what the library reads msgpack with, see encDriver. It is lenient: it takes
// a nil or a text for a payload, a 1 for true, and wraps numbers that do not fit. So the
// reader looks at the first byte of an element, its lead, before it asks for the element.
type decDriver interface {
	ReadArrayStart() int
	ReadMapStart() int
	DecodeUint64() uint64
	DecodeInt64() int64
	DecodeFloat64() float64
	DecodeBool() bool
	DecodeBytes(into []byte, share bool) []byte
	DecodeString() string
	DecodeExt(into any, tag uint64, ext gomsgpack.Ext) uint64
	TryDecodeAsNil() bool
}

// reader reads msgpack from b. Its own first fault sticks: after it every method gives
// zero, so that a value is read straight through and judged once, by done. The library
// panics when bytes end within an element; its Decode catches that, and refuse tells.
type reader struct {
	library *gomsgpack.Decoder
	d       decDriver
	op      string
	whole   string // the name of the top-level value

	b    []byte
	at   int    // the element at hand begins here
	what string // its name
	err  *Error
}

func (r *reader) init(op, whole string) {
	r.op, r.whole = op, whole
	r.library = gomsgpack.NewDecoderBytes(none, handle)
	_, r.d = gomsgpack.GenHelperDecoder(r.library)
}

// reset reports whether there is an array to read. The library must not see anything else:
// it ignores a nil slice, and to a nil on the outside it has an answer of its own.
func (r *reader) reset(e Encoded) bool {
	r.b, r.at, r.err = e.Bytes, 0, nil
	if e.Bytes == nil && e.Value != nil {
		r.fail(nil, "there are no bytes but a %T: was it made by another serializer?", e.Value)
	}
	if !r.isArray(r.whole) {
		return false
	}
	r.library.ResetBytes(r.b)
	return true
}

// done gives the first fault; bytes that are left are one too.
func (r *reader) done() error {
	if r.err == nil && r.left() > 0 {
		r.fail(nil, "%d bytes follow the value", r.left())
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

// release lets go of the value and, if they are many, of the bytes.
func (r *reader) release() {
	if len(r.b) > keepAtMost {
		r.library.ResetBytes(none)
	}
	r.b, r.err = nil, nil
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) fail(cause error, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{
			Op: r.op, Format: msgpackName, Offset: r.at,
			Reason: fmt.Sprintf(format, args...), Err: cause,
		}
	}
}

// refuse records what the library said about the element at hand.
func (r *reader) refuse(err error) {
	if errors.Is(err, io.EOF) {
		r.fail(err, "%s: the bytes end too early, %d are left", r.what, r.left())
		return
	}
	r.fail(err, "%s: %s", r.what, err)
}

// mistyped records that the element at hand is not of the type that is due. The words of
// this fault and of a negative number are held fast by golden files.
func (r *reader) mistyped(lead byte, due string) {
	r.fail(nil, "%s: found %q where %q is due", r.what, typeOf(lead), due)
}

// next gives the lead of the next element; false after a fault.
func (r *reader) next(what string) (lead byte, ok bool) {
	if r.err != nil {
		return 0, false
	}
	r.what = what
	if r.at >= len(r.b) {
		r.refuse(io.EOF)
		return 0, false
	}
	return r.b[r.at], true
}

// read notes that the library has read the element at hand.
func (r *reader) read() { r.at = r.library.NumBytesRead() }

// versioned opens the array of a top-level value, of which at least want elements
// are known, and checks its version. It gives the number of elements.
//
//nolint:unparam // each kind of value has a version of its own; so far all are 1
func (r *reader) versioned(newest uint64, want int) int {
	n := r.array(r.whole)
	if r.err != nil {
		return 0
	}
	v := r.uint64("version")
	switch {
	case r.err != nil:
	case v > newest:
		r.fail(ErrNewerVersion, "%s of version %d; this node reads up to %d: upgrade it", r.whole, v, newest)
	case v == 0:
		r.fail(nil, "%s of version 0, which never was", r.whole)
	case n < want:
		r.fail(nil, "%s of version %d has %d fields instead of at least %d", r.whole, v, n, want)
	}
	return n
}

// fields opens the array of a nested value, of which at least want elements are known.
func (r *reader) fields(what string, want int) int {
	n := r.array(what)
	if r.err == nil && n < want {
		r.fail(nil, "%s has %d fields instead of at least %d", what, n, want)
	}
	return n
}

// elements opens an array of like elements, each of which takes at least size bytes:
// what the header claims is checked against what is there before anybody allocates.
func (r *reader) elements(what string, size int) int {
	n := r.array(what)
	if r.err == nil && n > r.left()/size {
		r.fail(nil, "%s: %d elements are claimed, only %d bytes are left", what, n, r.left())
	}
	if r.err != nil {
		return 0
	}
	return n
}

// isArray looks at the next element and does not read it.
func (r *reader) isArray(what string) bool {
	lead, ok := r.next(what)
	if ok && !isArray(lead) {
		r.mistyped(lead, "array")
		return false
	}
	return ok
}

func (r *reader) array(what string) int {
	if !r.isArray(what) {
		return 0
	}
	n := r.d.ReadArrayStart()
	r.read()
	return n
}

func (r *reader) uint64(what string) uint64 {
	lead, ok := r.next(what)
	if !ok {
		return 0
	}
	if isUint(lead) {
		n := r.d.DecodeUint64()
		r.read()
		return n
	}
	if !isInt(lead) {
		r.mistyped(lead, "uint")
		return 0
	}
	n := r.d.DecodeInt64()
	if n < 0 {
		r.fail(nil, "%s: found the negative number %d", what, n)
		return 0
	}
	r.read()
	return uint64(n)
}

// uint reads a number that may not exceed the limit.
func (r *reader) uint(what string, limit uint64) uint64 {
	n := r.uint64(what)
	if n > limit {
		r.fail(nil, "%s is %d, beyond its limit of %d", what, n, limit)
		return 0
	}
	return n
}

func (r *reader) int64(what string) int64 {
	lead, ok := r.next(what)
	if !ok {
		return 0
	}
	if isInt(lead) {
		n := r.d.DecodeInt64()
		r.read()
		return n
	}
	if !isUint(lead) {
		r.mistyped(lead, "int")
		return 0
	}
	n := r.d.DecodeUint64()
	if n > math.MaxInt64 {
		r.fail(nil, "%s is %d, beyond its limit of %d", what, n, math.MaxInt64)
		return 0
	}
	r.read()
	return int64(n)
}

func (r *reader) bool(what string) bool {
	lead, ok := r.next(what)
	if !ok {
		return false
	}
	if !isBool(lead) {
		r.mistyped(lead, "bool")
		return false
	}
	v := r.d.DecodeBool()
	r.read()
	return v
}

// bytes gives a part of the input, not a copy. Its capacity is cut, so that an append
// to it cannot reach its neighbour.
func (r *reader) bytes(what string) []byte {
	lead, ok := r.next(what)
	if !ok {
		return nil
	}
	if !isBin(lead) {
		r.mistyped(lead, "bin")
		return nil
	}
	p := r.d.DecodeBytes(nil, true)
	r.read()
	if len(p) == 0 {
		return nil
	}
	return p[:len(p):len(p)]
}

// string gives a copy.
func (r *reader) string(what string) string {
	lead, ok := r.next(what)
	if !ok {
		return ""
	}
	if !isStr(lead) {
		r.mistyped(lead, "str")
		return ""
	}
	s := r.d.DecodeString()
	r.read()
	return s
}

func (r *reader) entryID(what string) protocol.EntryID {
	return protocol.EntryID{Term: protocol.Term(r.uint64(what)), Index: protocol.Index(r.uint64(what))}
}

func (r *reader) entryFields(e *protocol.Entry) {
	e.Kind = protocol.EntryKind(r.uint("entry kind", 0xff))
	if r.err == nil && (e.Kind < protocol.EntryNoOp || e.Kind > protocol.EntrySession) {
		r.fail(ErrUnknownKind, "entry kind %d; this node knows %d to %d: upgrade it",
			e.Kind, protocol.EntryNoOp, protocol.EntrySession)
	}
	e.Term = protocol.Term(r.uint64("entry term"))
	e.Index = protocol.Index(r.uint64("entry index"))
	e.Payload = r.bytes("entry payload")
}

func (r *reader) membershipFields() (m protocol.Membership) {
	const memberMin = 4 // array header, ID, empty address, suffrage
	if n := r.elements("members", memberMin); n > 0 {
		m.Members = make([]protocol.Member, n)
		for i := range m.Members {
			r.member(&m.Members[i])
		}
	}
	if n := r.elements("outgoing voters", 1); n > 0 {
		m.Outgoing = make([]protocol.MemberID, n)
		for i := range m.Outgoing {
			m.Outgoing[i] = protocol.MemberID(r.uint64("outgoing voter"))
		}
	}
	return m
}

// membershipRest reads the fields that came later, of which left are there, and gives how
// many it did not know.
func (r *reader) membershipRest(m *protocol.Membership, left int) int {
	if left < 1 {
		return 0
	}
	m.Highest = protocol.MemberID(r.uint64("highest member ID"))
	return left - 1
}

func (r *reader) member(m *protocol.Member) {
	n := r.fields("member", 3)
	m.ID = protocol.MemberID(r.uint64("member ID"))
	m.Address = r.string("member address")
	m.Suffrage = protocol.Suffrage(r.uint("suffrage", 0xff))
	if r.err == nil && (m.Suffrage < protocol.Voter || m.Suffrage > protocol.Leaving) {
		r.fail(ErrUnknownKind, "suffrage %d of member %d; this node knows %d to %d: upgrade it",
			m.Suffrage, m.ID, protocol.Voter, protocol.Leaving)
	}
	n -= 3
	if n >= 2 {
		m.Name, m.Client = r.string("member name"), r.string("client address")
		n -= 2
		if n > 0 {
			m.Incarnation = protocol.Incarnation(r.uint64("member's incarnation"))
			n--
		}
	}
	r.skip(n)
}

func (r *reader) entryIDs(what string) []protocol.EntryID {
	const idMin = 3 // array header, term, index
	c := r.elements(what, idMin)
	if c == 0 {
		return nil
	}
	ids := make([]protocol.EntryID, c)
	for i := range ids {
		n := r.fields(what, 2)
		ids[i] = r.entryID(what)
		r.skip(n - 2)
	}
	return ids
}
