package kv

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/raftcore/machine"
)

// Format counts up with each change of what older versions cannot read: of commands, snapshots
// or the store.
const Format = 1

// A command is {version, operation, request}: two bytes and the protobuf encoding
// of etcd's request message.
const commandVersion = 1

// The operations. The values are in the logs of running clusters: they never
// change and are never reused.
const (
	opPut     = 1
	opDelete  = 2
	opTxn     = 3
	opCompact = 4
)

const commandHeader = 2

// Encode makes the command for a request that changes the store: a *PutRequest,
// *DeleteRangeRequest, *TxnRequest or *CompactionRequest of etcd's API.
func Encode(request proto.Message) ([]byte, error) {
	var op byte
	switch request.(type) {
	case *pb.PutRequest:
		op = opPut
	case *pb.DeleteRangeRequest:
		op = opDelete
	case *pb.TxnRequest:
		op = opTxn
	case *pb.CompactionRequest:
		op = opCompact
	default:
		return nil, fmt.Errorf("kv: %T is not a command of the store", request)
	}
	options := proto.MarshalOptions{}
	b := make([]byte, commandHeader, commandHeader+options.Size(request))
	b[0], b[1] = commandVersion, op
	options.UseCachedSize = true
	return options.MarshalAppend(b, request)
}

// split takes a command apart without decoding its request.
func split(payload []byte) (op byte, request []byte, err error) {
	if len(payload) < commandHeader {
		return 0, nil, fmt.Errorf("a command of %d bytes is too short", len(payload))
	}
	if payload[0] != commandVersion {
		return 0, nil, fmt.Errorf("a command has format %d, this version knows %d: %w", payload[0], commandVersion, machine.ErrNewer)
	}
	return payload[1], payload[commandHeader:], nil
}

// decodePut decodes a PutRequest into r, whose key and value then alias b. Puts are
// nearly all of what a store applies, and this takes a tenth of proto.Unmarshal.
func decodePut(b []byte, r *pb.PutRequest) error {
	r.Key, r.Value, r.Lease = nil, nil, 0
	r.PrevKv, r.IgnoreValue, r.IgnoreLease = false, false, false
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if b = b[n:]; typ == protowire.BytesType {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return protowire.ParseError(n)
			}
			setPutBytes(r, num, v)
			b = b[n:]
			continue
		}
		if typ != protowire.VarintType {
			return fmt.Errorf("field %d of a put has wire type %d", num, typ)
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		setPutVarint(r, num, v)
		b = b[n:]
	}
	return nil
}

func setPutBytes(r *pb.PutRequest, num protowire.Number, v []byte) {
	switch num {
	case 1:
		r.Key = v
	case 2:
		r.Value = v
	}
}

func setPutVarint(r *pb.PutRequest, num protowire.Number, v uint64) {
	switch num {
	case 3:
		r.Lease = int64(v)
	case 4:
		r.PrevKv = v != 0
	case 5:
		r.IgnoreValue = v != 0
	case 6:
		r.IgnoreLease = v != 0
	}
}
