package etcdapi

import (
	"context"
	"errors"
	"net"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// handedOn marks a call that another member has handed on, so that two who take each
// other for the leader do not go on for ever.
const handedOn = "quorate-handed-on"

// onLeader lets the leader answer a call that changes the membership: here, or else there,
// at the member that this one takes for it.
func onLeader[Q, A any](
	ctx context.Context, c *clusterService, request Q,
	there func(pb.ClusterClient, context.Context, Q, ...grpc.CallOption) (A, error), here func(context.Context) (A, error),
) (A, error) {
	var none A
	if c.s.options.MembersByOperator {
		return none, errByOperator
	}
	bounded, cancel := context.WithTimeout(ctx, c.s.options.RequestTimeout)
	defer cancel()
	to := protocol.MemberID(c.s.options.Backend.Status().LeaderID)
	if to == protocol.MemberID(c.s.options.MemberID) {
		answer, err := here(bounded)
		refused, ok := errors.AsType[*replica.ChangeRefused](err)
		if !ok {
			return answer, err
		}
		to = refused.Leader
	}
	switch {
	case to == 0:
		return none, rpctypes.ErrGRPCNoLeader
	case len(metadata.ValueFromIncomingContext(ctx, handedOn)) > 0:
		return none, rpctypes.ErrGRPCNotLeader
	}
	leader, err := c.dial(bounded, to)
	if err != nil {
		return none, err
	}
	defer leader.Close()
	answer, err := there(pb.NewClusterClient(leader), metadata.AppendToOutgoingContext(bounded, handedOn, "1"), request)
	return answer, toStatus(ctx, err)
}

// dial connects to the client endpoint of the leader.
func (c *clusterService) dial(ctx context.Context, leader protocol.MemberID) (*grpc.ClientConn, error) {
	conn, err := c.s.options.Backend.DialMember(ctx, uint64(leader))
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "quorate: member %d leads, and cannot be asked from here (%v): ask it itself", leader, err)
	}
	once := make(chan net.Conn, 1)
	once <- conn
	return grpc.NewClient("passthrough:///leader", grpc.WithTransportCredentials(insecure.NewCredentials()), // TLS is in the connection
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case conn := <-once:
				return conn, nil
			default:
				return nil, errors.New("the connection to the leader broke")
			}
		}))
}
