package etcdapi

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/node/kv"
)

// kvService implements etcdserverpb.KVServer.
type kvService struct {
	pb.UnsafeKVServer
	s *Server
}

// Range reads. It is linearizable unless the request says serializable.
func (k *kvService) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(r); err != nil {
		return nil, err
	}
	if !r.Serializable {
		if err := k.s.barrier(ctx); err != nil {
			return nil, err
		}
	}
	response, err := k.s.options.Backend.Store().Range(r)
	if err != nil {
		return nil, toStatus(ctx, err)
	}
	k.s.fill(response.Header)
	return response, nil
}

// Put changes one key.
func (k *kvService) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := checkPut(r); err != nil {
		return nil, err
	}
	return propose[*pb.PutResponse](ctx, k.s, r)
}

// DeleteRange deletes keys.
func (k *kvService) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := checkDelete(r); err != nil {
		return nil, err
	}
	return propose[*pb.DeleteRangeResponse](ctx, k.s, r)
}

// Txn runs a transaction. One that changes nothing is a read, and serializable
// when all that it reads is.
func (k *kvService) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := checkTxn(r); err != nil {
		return nil, err
	}
	if !kv.ReadOnly(r) {
		return propose[*pb.TxnResponse](ctx, k.s, r)
	}
	if !serializable(r) {
		if err := k.s.barrier(ctx); err != nil {
			return nil, err
		}
	}
	response, err := k.s.options.Backend.Store().Txn(r)
	if err != nil {
		return nil, toStatus(ctx, err)
	}
	k.s.fill(response.Header)
	return response, nil
}

// Compact drops history. With Physical set it returns when this member has dropped
// it all.
func (k *kvService) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	response, err := propose[*pb.CompactionResponse](ctx, k.s, r)
	if err != nil || !r.Physical {
		return response, err
	}
	if err := k.s.options.Backend.Store().WaitSwept(ctx); err != nil {
		return nil, toStatus(ctx, err)
	}
	return response, nil
}

// serializable reports whether every read of the transaction asks to be.
func serializable(r *pb.TxnRequest) bool {
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			t := op.GetRequestTxn()
			if t != nil && !serializable(t) || t == nil && !op.GetRequestRange().GetSerializable() {
				return false
			}
		}
	}
	return true
}

// barrier waits until a read is linearizable.
func (s *Server) barrier(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	if err := s.options.Backend.ReadBarrier(bounded); err != nil {
		return toStatus(ctx, err)
	}
	return nil
}

// answer is a response of a request that changes something.
type answer interface {
	proto.Message
	GetHeader() *pb.ResponseHeader
}

// propose replicates a request that was checked, and completes its answer.
func propose[A answer](ctx context.Context, s *Server, request proto.Message) (A, error) {
	var none A
	payload, err := kv.Encode(request)
	if err != nil {
		return none, toStatus(ctx, err)
	}
	if len(payload) > s.options.MaxRequestBytes {
		return none, rpctypes.ErrGRPCRequestTooLarge
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.RequestTimeout)
	defer cancel()
	result, err := s.options.Backend.Propose(bounded, payload)
	if err == nil {
		err = result.Err
	}
	if err != nil {
		return none, toStatus(ctx, err)
	}
	response := result.Value.(A)
	s.fill(response.GetHeader())
	return response, nil
}
