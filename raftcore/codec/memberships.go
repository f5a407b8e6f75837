package codec

import "github.com/quorate/quorate/raftcore/protocol"

// Memberships turns memberships into the payloads of Configuration entries and back,
// in the format of a Serializer that makes bytes.
type Memberships struct{ Serializer Serializer }

// EncodeMembership gives the payload.
func (c Memberships) EncodeMembership(m protocol.Membership) ([]byte, error) {
	e, err := c.Serializer.EncodeMembership(nil, m)
	return e.Bytes, err
}

// DecodeMembership gives what EncodeMembership was given. Its errors are *Error.
func (c Memberships) DecodeMembership(payload []byte) (protocol.Membership, error) {
	return c.Serializer.DecodeMembership(Encoded{Bytes: payload})
}
