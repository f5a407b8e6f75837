package codec

import "github.com/quorate/quorate/raftcore/protocol"

// Encoded is what a Serializer made of a value: Bytes for a Serializer that makes
// bytes, or the value itself in Value for one that does not (Identity).
//
// For an Encode method, Bytes is dst with the value's bytes appended to it, as the
// built-in append does; for a Decode method it holds one value and nothing after it.
type Encoded struct {
	Bytes []byte
	Value any
}

// Serializer turns messages, log records and the records' contents into something
// that can be sent or kept, and back. It has no state and may be used from
// many goroutines. Every error of a Decode method is an *Error.
//
// dst is a buffer whose free capacity is used for the result where it suffices; it
// may be nil. What a Decode method gives shares memory with what it was given, so
// those bytes must not be changed afterwards. A nil slice and an empty one are the same
// value: either may come back for the other.
type Serializer interface {
	// Name tells the format, as in "msgpack/1".
	Name() string
	// Binary reports whether Encoded.Bytes is used: files and sockets need that.
	Binary() bool

	EncodeMessage(dst []byte, m protocol.Message) (Encoded, error)
	DecodeMessage(Encoded) (protocol.Message, error)

	EncodeEntry(dst []byte, e protocol.Entry) (Encoded, error)
	DecodeEntry(Encoded) (protocol.Entry, error)

	EncodeCommand(dst []byte, c protocol.Command) (Encoded, error)
	DecodeCommand(Encoded) (protocol.Command, error)

	EncodeMembership(dst []byte, m protocol.Membership) (Encoded, error)
	DecodeMembership(Encoded) (protocol.Membership, error)

	EncodeSessionChange(dst []byte, c protocol.SessionChange) (Encoded, error)
	DecodeSessionChange(Encoded) (protocol.SessionChange, error)

	EncodeSession(dst []byte, s protocol.Session) (Encoded, error)
	DecodeSession(Encoded) (protocol.Session, error)

	EncodeSessionsHead(dst []byte, h protocol.SessionsHead) (Encoded, error)
	DecodeSessionsHead(Encoded) (protocol.SessionsHead, error)
}

// Versioned is a Serializer whose messages have versions. What carries them does not send a
// member what it cannot read: to that, such a message is one that was lost.
type Versioned interface {
	Serializer
	// MessageVersion gives the version that a reader must know for a message with that body.
	MessageVersion(protocol.Body) uint16
	// NewestMessage gives the newest version that this Serializer reads.
	NewestMessage() uint16
}
