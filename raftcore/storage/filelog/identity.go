package filelog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Identity says whose data directory it is. It is written once, by Format.
type Identity struct {
	ClusterID   string
	Name        string // of the member, for people
	MemberID    protocol.MemberID
	Incarnation protocol.Incarnation // drawn at random by who formats
	Membership  protocol.Membership  // the cluster as it was when the member was made
}

var (
	// ErrNotFormatted tells that there is no data directory yet: see Format.
	ErrNotFormatted = errors.New("the data directory is not formatted")
	// ErrFormatted tells that Format would destroy what a directory holds.
	ErrFormatted = errors.New("the data directory is in use")
	// ErrMetaDamaged tells that no copy of the identity can be trusted.
	ErrMetaDamaged = errors.New("no valid copy of the identity is left")
)

// IdentityError tells that a data directory belongs to another member or cluster.
type IdentityError struct {
	Dir           string
	Found         Identity
	WantClusterID string
	WantMemberID  protocol.MemberID
}

// Error implements error.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("data directory %s belongs to member %d (%s) of cluster %q, not to member %d of cluster %q: "+
		"correct the flags, or give this member the volume that is its own",
		e.Dir, e.Found.MemberID, e.Found.Name, e.Found.ClusterID, e.WantMemberID, e.WantClusterID)
}

// check compares an identity with what the options expect.
func (o Options) check(dir string, id Identity) error {
	want := &IdentityError{Dir: dir, Found: id, WantClusterID: o.ClusterID, WantMemberID: o.MemberID}
	if o.ClusterID == "" {
		want.WantClusterID = id.ClusterID
	}
	if o.MemberID == 0 {
		want.WantMemberID = id.MemberID
	}
	if want.WantClusterID != id.ClusterID || want.WantMemberID != id.MemberID {
		return want
	}
	return nil
}

// encode gives: member ID and incarnation, 8 bytes each, then cluster ID, name and
// msgpack of the membership, each with its length as a varint.
func (id Identity) encode() ([]byte, error) {
	members, err := codec.Msgpack{}.EncodeMembership(nil, id.Membership)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(id.MemberID))
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Incarnation))
	for _, field := range [][]byte{[]byte(id.ClusterID), []byte(id.Name), members.Bytes} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b, nil
}

func decodeIdentity(b []byte) (id Identity, err error) {
	if len(b) < 16 {
		return id, fmt.Errorf("the identity has only %d bytes", len(b))
	}
	id.MemberID = protocol.MemberID(binary.LittleEndian.Uint64(b))
	id.Incarnation = protocol.Incarnation(binary.LittleEndian.Uint64(b[8:]))
	b = b[16:]
	var fields [3][]byte
	for i := range fields {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return id, fmt.Errorf("field %d of the identity is cut off", i)
		}
		fields[i], b = b[used:used+int(n)], b[used+int(n):]
	}
	id.ClusterID, id.Name = string(fields[0]), string(fields[1])
	id.Membership, err = codec.Msgpack{}.DecodeMembership(codec.Encoded{Bytes: fields[2]})
	return id, err
}
