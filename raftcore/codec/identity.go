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
