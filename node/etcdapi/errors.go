package etcdapi

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/raftcore/host"
)

// translations are what clients see of the errors of the rooms below.
var translations = []struct{ from, to error }{
	{kv.ErrCompacted, rpctypes.ErrGRPCCompacted},
	{kv.ErrFutureRevision, rpctypes.ErrGRPCFutureRev},
	{kv.ErrKeyNotFound, rpctypes.ErrGRPCKeyNotFound},
	{kv.ErrLeaseNotFound, rpctypes.ErrGRPCLeaseNotFound},
	{host.ErrNoLeader, rpctypes.ErrGRPCNoLeader},
	{host.ErrUnknown, rpctypes.ErrGRPCTimeoutDueToLeaderFail},
	{host.ErrOverloaded, rpctypes.ErrGRPCRequestTooManyRequests},
	{host.ErrDiskFull, rpctypes.ErrGRPCNoSpace},
	{host.ErrTooLarge, rpctypes.ErrGRPCRequestTooLarge},
	{host.ErrFenced, rpctypes.ErrGRPCUnhealthy},
	{host.ErrRemoved, rpctypes.ErrGRPCStopped},
	{host.ErrClosed, rpctypes.ErrGRPCStopped},
	{kv.ErrClosed, rpctypes.ErrGRPCStopped},
}

// toStatus translates an error for the client. ctx is the call's own context: when
// it goes on, a deadline that passed was the server's.
func toStatus(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return rpctypes.ErrGRPCTimeout
	}
	for _, t := range translations {
		if errors.Is(err, t.from) {
			return t.to
		}
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, err.Error())
}
