package kv_test

import (
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/machine/machinetest"
)

func TestConformance(t *testing.T) {
	machinetest.TestStateMachine(t, machinetest.Kit{
		Open: func(t testing.TB, dir string) machine.StateMachine {
			s, err := kv.Open(kv.Options{DataDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Command: conformanceCommand,
		State: func(t testing.TB, m machine.StateMachine) string {
			s := m.(*kv.Store)
			r, err := s.Range(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
			if err != nil {
				t.Fatal(err)
			}
			hash, rev, compacted, err := s.Hash(0)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("revision %d, compacted %d, hash %x, pairs %s", rev, compacted, hash, prototext.Format(r))
		},
		Result: func(r machine.Result) string {
			if r.Err != nil {
				return r.Err.Error()
			}
			return prototext.Format(r.Value.(proto.Message))
		},
	})
}

func conformanceCommand(i int) []byte {
	key := fmt.Appendf(nil, "key-%d", i*7%13)
	put := &pb.PutRequest{Key: key, Value: fmt.Appendf(nil, "value-%d", i), PrevKv: i%2 == 0}
	var request proto.Message = put
	switch {
	case i%60 == 59:
		request = &pb.CompactionRequest{Revision: int64(i / 2)}
	case i%11 == 10:
		request = &pb.DeleteRangeRequest{Key: key, RangeEnd: []byte("key-7"), PrevKv: true}
	case i%5 == 4:
		request = &pb.TxnRequest{
			Compare: []*pb.Compare{{Key: key, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_Version{Version: 1}}},
			Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestPut{RequestPut: put}},
				{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte("key"), RangeEnd: []byte("kez")}}},
			},
			Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}},
		}
	}
	b, err := kv.Encode(request)
	if err != nil {
		panic(err)
	}
	return b
}
