package codec

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"github.com/quorate/quorate/raftcore/protocol"
)

// reader reads msgpack from b, of which total bytes were there at first. The first
// fault sticks: after it every method gives zero, so that a value is read
// straight through and judged once, by done.
type reader struct {
	op    string
	b     []byte
	total int
	err   *Error
}

func newReader(op string, e Encoded) reader {
	r := reader{op: op, b: e.Bytes, total: len(e.Bytes)}
	if e.Bytes == nil && e.Value != nil {
		r.fail(nil, "there are no bytes but a %T: was it made by another serializer?", e.Value)
	}
	return r
}

// done gives the first fault; bytes that are left are one too.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(nil, "%d bytes follow the value", len(r.b))
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *reader) fail(cause error, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{
			Op: r.op, Format: msgpackName, Offset: r.total - len(r.b),
			Reason: fmt.Sprintf(format, args...), Err: cause,
		}
	}
}

// refuse records what the msgpack library said about the field.
func (r *reader) refuse(what string, err error) {
	if errors.Is(err, msgp.ErrShortBytes) {
		r.fail(err, "%s: the bytes end too early, %d are left", what, len(r.b))
		return
	}
	r.fail(err, "%s: %s", what, err)
}

// versioned opens the array of a top-level value, of which at least want elements
// are known, and checks its version. It gives the number of elements.
//
//nolint:unparam // each kind of value has a version of its own; so far all are 1
func (r *reader) versioned(what string, newest uint64, want int) int {
	n := r.array(what)
	if r.err != nil {
		return 0
	}
	v := r.uint64("version")
	switch {
	case r.err != nil:
	case v > newest:
		r.fail(ErrNewerVersion, "%s of version %d; this node reads up to %d: upgrade it", what, v, newest)
	case v == 0:
		r.fail(nil, "%s of version 0, which never was", what)
	case n < want:
		r.fail(nil, "%s of version %d has %d fields instead of at least %d", what, v, n, want)
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
	if r.err == nil && n > len(r.b)/size {
		r.fail(nil, "%s: %d elements are claimed, only %d bytes are left", what, n, len(r.b))
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) array(what string) int {
	if r.err != nil {
		return 0
	}
	n, rest, err := msgp.ReadArrayHeaderBytes(r.b)
	if err != nil {
		r.refuse(what, err)
		return 0
	}
	r.b = rest
	return int(n)
}

// skip passes over n elements that a newer writer has added.
func (r *reader) skip(n int) {
	for ; n > 0 && r.err == nil; n-- {
		rest, err := msgp.Skip(r.b)
		if err != nil {
			r.refuse("a field added by a newer version", err)
			return
		}
		r.b = rest
	}
}

func (r *reader) uint64(what string) uint64 {
	if r.err != nil {
		return 0
	}
	n, rest, err := msgp.ReadUint64Bytes(r.b)
	if err != nil {
		r.refuse(what, err)
		return 0
	}
	r.b = rest
	return n
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
	if r.err != nil {
		return 0
	}
	n, rest, err := msgp.ReadInt64Bytes(r.b)
	if err != nil {
		r.refuse(what, err)
		return 0
	}
	r.b = rest
	return n
}

func (r *reader) bool(what string) bool {
	if r.err != nil {
		return false
	}
	v, rest, err := msgp.ReadBoolBytes(r.b)
	if err != nil {
		r.refuse(what, err)
		return false
	}
	r.b = rest
	return v
}

// bytes gives a part of the input, not a copy. Its capacity is cut, so that an append
// to it cannot reach its neighbour.
func (r *reader) bytes(what string) []byte {
	if r.err != nil {
		return nil
	}
	p, rest, err := msgp.ReadBytesZC(r.b)
	if err != nil {
		r.refuse(what, err)
		return nil
	}
	r.b = rest
	if len(p) == 0 {
		return nil
	}
	return p[:len(p):len(p)]
}

func (r *reader) string(what string) string {
	if r.err != nil {
		return ""
	}
	s, rest, err := msgp.ReadStringBytes(r.b)
	if err != nil {
		r.refuse(what, err)
		return ""
	}
	r.b = rest
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

func (r *reader) member(m *protocol.Member) {
	n := r.fields("member", 3)
	m.ID = protocol.MemberID(r.uint64("member ID"))
	m.Address = r.string("member address")
	m.Suffrage = protocol.Suffrage(r.uint("suffrage", 0xff))
	if r.err == nil && m.Suffrage != protocol.Voter && m.Suffrage != protocol.Learner {
		r.fail(ErrUnknownKind, "suffrage %d of member %d; this node knows %d and %d: upgrade it",
			m.Suffrage, m.ID, protocol.Voter, protocol.Learner)
	}
	r.skip(n - 3)
}
