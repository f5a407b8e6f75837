package codec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Msgpack is the Serializer for files and sockets. Package documentation has the
// format.
//
// What its Decode methods give shares the bytes it was given: payloads are slices of
// them, with their capacity cut to their length.
type Msgpack struct{}

var _ Serializer = Msgpack{}

const msgpackName = "msgpack/1"

// The highest version of each value that this release reads, and the one it writes.
const (
	messageVersion    = 1
	entryVersion      = 1
	commandVersion    = 1
	membershipVersion = 1
)

// Name implements Serializer.
func (Msgpack) Name() string { return msgpackName }

// Binary implements Serializer. It is true.
func (Msgpack) Binary() bool { return true }

// EncodeMessage implements Serializer.
func (Msgpack) EncodeMessage(dst []byte, m protocol.Message) (Encoded, error) {
	w := writer{b: dst}
	if !w.message(m) {
		return Encoded{}, &Error{
			Op: "encode message", Format: msgpackName, Offset: -1, Err: ErrUnknownKind,
			Reason: fmt.Sprintf("a body of type %T is not one of package protocol's", m.Body),
		}
	}
	return w.done("encode message")
}

// DecodeMessage implements Serializer.
func (Msgpack) DecodeMessage(e Encoded) (protocol.Message, error) {
	r := newReader("decode message", e)
	n := r.versioned("message", messageVersion, 6)
	kind := protocol.MessageKind(r.uint("message kind", 0xff))
	m := protocol.Message{
		From: protocol.MemberID(r.uint64("from")),
		To:   protocol.MemberID(r.uint64("to")),
		Term: protocol.Term(r.uint64("term")),
	}
	m.Body = r.body(kind)
	r.skip(n - 6)
	if err := r.done(); err != nil {
		return protocol.Message{}, err
	}
	return m, nil
}

// EncodeEntry implements Serializer.
func (Msgpack) EncodeEntry(dst []byte, e protocol.Entry) (Encoded, error) {
	w := writer{b: dst}
	w.grow(len(e.Payload) + entryBound)
	w.array(5)
	w.uint(entryVersion)
	w.entryFields(&e)
	return w.done("encode entry")
}

// DecodeEntry implements Serializer.
func (Msgpack) DecodeEntry(e Encoded) (protocol.Entry, error) {
	r := newReader("decode entry", e)
	n := r.versioned("entry", entryVersion, 5)
	var x protocol.Entry
	r.entryFields(&x)
	r.skip(n - 5)
	if err := r.done(); err != nil {
		return protocol.Entry{}, err
	}
	return x, nil
}

// EncodeCommand implements Serializer.
func (Msgpack) EncodeCommand(dst []byte, c protocol.Command) (Encoded, error) {
	w := writer{b: dst}
	w.grow(len(c.Payload) + commandBound)
	w.array(6)
	w.uint(commandVersion)
	w.uint(c.Client)
	w.uint(c.Serial)
	w.uint(uint64(c.ReplyTo.Member))
	w.uint(c.ReplyTo.Request)
	w.bytes(c.Payload)
	return w.done("encode command")
}

// DecodeCommand implements Serializer.
func (Msgpack) DecodeCommand(e Encoded) (protocol.Command, error) {
	r := newReader("decode command", e)
	n := r.versioned("command", commandVersion, 6)
	c := protocol.Command{
		Client: r.uint64("client"),
		Serial: r.uint64("serial"),
		ReplyTo: protocol.ReplyTo{
			Member:  protocol.MemberID(r.uint64("reply-to member")),
			Request: r.uint64("reply-to request"),
		},
		Payload: r.bytes("payload"),
	}
	r.skip(n - 6)
	if err := r.done(); err != nil {
		return protocol.Command{}, err
	}
	return c, nil
}

// EncodeMembership implements Serializer.
func (Msgpack) EncodeMembership(dst []byte, m protocol.Membership) (Encoded, error) {
	w := writer{b: dst}
	w.array(3)
	w.uint(membershipVersion)
	w.membershipFields(m)
	return w.done("encode membership")
}

// DecodeMembership implements Serializer.
func (Msgpack) DecodeMembership(e Encoded) (protocol.Membership, error) {
	r := newReader("decode membership", e)
	n := r.versioned("membership", membershipVersion, 3)
	m := r.membershipFields()
	r.skip(n - 3)
	if err := r.done(); err != nil {
		return protocol.Membership{}, err
	}
	return m, nil
}
