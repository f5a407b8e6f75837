package codec

import (
	"fmt"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Identity is the Serializer that changes nothing: it hands values through, for logs
// and comms that stay in one process's memory.
type Identity struct{}

var _ Serializer = Identity{}

// Name implements Serializer.
func (Identity) Name() string { return "identity" }

// Binary implements Serializer. It is false: there are no bytes.
func (Identity) Binary() bool { return false }

// EncodeMessage implements Serializer.
func (Identity) EncodeMessage(_ []byte, m protocol.Message) (Encoded, error) {
	return Encoded{Value: m}, nil
}

// DecodeMessage implements Serializer.
func (Identity) DecodeMessage(e Encoded) (protocol.Message, error) {
	return pass[protocol.Message](e, "decode message")
}

// EncodeEntry implements Serializer.
func (Identity) EncodeEntry(_ []byte, e protocol.Entry) (Encoded, error) {
	return Encoded{Value: e}, nil
}

// DecodeEntry implements Serializer.
func (Identity) DecodeEntry(e Encoded) (protocol.Entry, error) {
	return pass[protocol.Entry](e, "decode entry")
}

// EncodeCommand implements Serializer.
func (Identity) EncodeCommand(_ []byte, c protocol.Command) (Encoded, error) {
	return Encoded{Value: c}, nil
}

// DecodeCommand implements Serializer.
func (Identity) DecodeCommand(e Encoded) (protocol.Command, error) {
	return pass[protocol.Command](e, "decode command")
}

// EncodeMembership implements Serializer.
func (Identity) EncodeMembership(_ []byte, m protocol.Membership) (Encoded, error) {
	return Encoded{Value: m}, nil
}

// DecodeMembership implements Serializer.
func (Identity) DecodeMembership(e Encoded) (protocol.Membership, error) {
	return pass[protocol.Membership](e, "decode membership")
}

// EncodeSessionChange implements Serializer.
func (Identity) EncodeSessionChange(_ []byte, c protocol.SessionChange) (Encoded, error) {
	return Encoded{Value: c}, nil
}

// DecodeSessionChange implements Serializer.
func (Identity) DecodeSessionChange(e Encoded) (protocol.SessionChange, error) {
	return pass[protocol.SessionChange](e, "decode session change")
}

// EncodeSession implements Serializer.
func (Identity) EncodeSession(_ []byte, s protocol.Session) (Encoded, error) {
	return Encoded{Value: s}, nil
}

// DecodeSession implements Serializer.
func (Identity) DecodeSession(e Encoded) (protocol.Session, error) {
	return pass[protocol.Session](e, "decode session")
}

// EncodeSessionsHead implements Serializer.
func (Identity) EncodeSessionsHead(_ []byte, h protocol.SessionsHead) (Encoded, error) {
	return Encoded{Value: h}, nil
}

// DecodeSessionsHead implements Serializer.
func (Identity) DecodeSessionsHead(e Encoded) (protocol.SessionsHead, error) {
	return pass[protocol.SessionsHead](e, "decode sessions head")
}

func pass[T any](e Encoded, op string) (T, error) {
	v, ok := e.Value.(T)
	if !ok {
		return v, &Error{
			Op: op, Format: "identity", Offset: -1,
			Reason: fmt.Sprintf("the value is a %T, not a %T: was it made by another serializer?", e.Value, v),
		}
	}
	return v, nil
}
