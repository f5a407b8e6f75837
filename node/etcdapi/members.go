package etcdapi

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// maxLearners is how many learners a client may have added as such, as in etcd.
const maxLearners = 1

// errByOperator is what clients get where the operator decides who is a member: what they
// changed it would not know of, and it could not keep a quorum.
var errByOperator = status.Error(codes.PermissionDenied,
	"quorate: the operator decides who is a member of this cluster: change spec.replicas of its RaftCluster instead")

// errOneURL is an answer of ours to what etcd takes: a member has one address.
var errOneURL = status.Error(codes.InvalidArgument, "quorate: a member has one peer URL, give just one")

// MemberAdd adds a learner under the next ID, also when a voter is asked for: one that has
// nothing yet would count for the quorum at once, and nothing could be written while it is
// not started. The answer says IsLearner; MemberPromote makes it a voter when it has caught up.
func (c *clusterService) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	address, err := peerAddress(r.PeerURLs)
	if err != nil {
		return nil, err
	}
	return onLeader(ctx, c, r, pb.ClusterClient.MemberAdd, func(ctx context.Context) (*pb.MemberAddResponse, error) {
		var id protocol.MemberID
		err := c.change(ctx, func(m protocol.Membership) (membership.Change, error) {
			if addressUsed(m, address, 0) {
				return membership.Change{}, rpctypes.ErrGRPCPeerURLExist
			}
			if r.IsLearner && len(m.Learners()) >= maxLearners {
				return membership.Change{}, rpctypes.ErrGRPCTooManyLearners
			}
			id = membership.Highest(m) + 1
			return membership.Change{Add: []protocol.Member{{ID: id, Address: address}}}, nil
		})
		if err != nil {
			return nil, err
		}
		response := &pb.MemberAddResponse{Header: c.header(), Members: c.members()}
		response.Member = &pb.Member{ID: uint64(id), PeerURLs: r.PeerURLs, IsLearner: true}
		return response, nil
	})
}

// MemberRemove removes a member of either kind.
func (c *clusterService) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return onLeader(ctx, c, r, pb.ClusterClient.MemberRemove, func(ctx context.Context) (*pb.MemberRemoveResponse, error) {
		err := c.change(ctx, func(protocol.Membership) (membership.Change, error) {
			return membership.Change{Remove: []protocol.MemberID{protocol.MemberID(r.ID)}}, nil
		})
		if err != nil {
			return nil, err
		}
		return &pb.MemberRemoveResponse{Header: c.header(), Members: c.members()}, nil
	})
}

// MemberPromote makes a voter of a learner that has caught up.
func (c *clusterService) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return onLeader(ctx, c, r, pb.ClusterClient.MemberPromote, func(ctx context.Context) (*pb.MemberPromoteResponse, error) {
		err := c.change(ctx, func(protocol.Membership) (membership.Change, error) {
			return membership.Change{Promote: []protocol.MemberID{protocol.MemberID(r.ID)}}, nil
		})
		if err != nil {
			return nil, err
		}
		return &pb.MemberPromoteResponse{Header: c.header(), Members: c.members()}, nil
	})
}

// MemberUpdate changes where the others reach a member.
func (c *clusterService) MemberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	address, err := peerAddress(r.PeerURLs)
	if err != nil {
		return nil, err
	}
	return onLeader(ctx, c, r, pb.ClusterClient.MemberUpdate, func(ctx context.Context) (*pb.MemberUpdateResponse, error) {
		id := protocol.MemberID(r.ID)
		err := c.change(ctx, func(m protocol.Membership) (membership.Change, error) {
			x, ok := m.Find(id)
			if !ok {
				return membership.Change{}, rpctypes.ErrGRPCMemberNotFound
			}
			if addressUsed(m, address, id) {
				return membership.Change{}, rpctypes.ErrGRPCPeerURLExist
			}
			x.Address = address
			return membership.Change{Update: []protocol.Member{x}}, nil
		})
		if err != nil {
			return nil, err
		}
		return &pb.MemberUpdateResponse{Header: c.header(), Members: c.members()}, nil
	})
}

// peerAddress gives the host:port of the one URL.
func peerAddress(urls []string) (address string, err error) {
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" {
			return "", rpctypes.ErrGRPCMemberBadURLs
		}
		if host, port, err := net.SplitHostPort(u.Host); err != nil || host == "" || port == "" {
			return "", rpctypes.ErrGRPCMemberBadURLs
		}
		address = u.Host
	}
	switch len(urls) {
	case 0:
		return "", rpctypes.ErrGRPCMemberBadURLs
	case 1:
		return address, nil
	}
	return "", errOneURL
}

// addressUsed reports whether another member than the one has the address.
func addressUsed(m protocol.Membership, address string, but protocol.MemberID) bool {
	for _, x := range m.Members {
		if x.Address == address && x.ID != but {
			return true
		}
	}
	return false
}

// askAgainAfter is how long a change waits that was refused for the moment only.
const askAgainAfter = 20 * time.Millisecond

// change lets this member, as the leader, make the change that next works out from the
// present membership. It asks again while that may help. The errors are for clients, but
// for a *replica.ChangeRefused of a member that does not lead.
func (c *clusterService) change(ctx context.Context, next func(protocol.Membership) (membership.Change, error)) error {
	b := c.s.options.Backend
	tick := time.NewTicker(askAgainAfter)
	defer tick.Stop()
	for {
		wanted, err := next(b.Membership())
		if err != nil {
			return err
		}
		if err = b.ChangeMembership(ctx, wanted); err == nil {
			return nil
		}
		if !passing(err) {
			return changeError(ctx, err)
		}
		select {
		case <-ctx.Done():
			return toStatus(ctx, ctx.Err())
		case <-tick.C:
		}
	}
}

// passing reports whether a change is refused for the moment only. An ID that is used
// is another client's, who was faster.
func passing(err error) bool {
	if m, ok := errors.AsType[*membership.Error](err); ok {
		return m.Reason == membership.IDUsed
	}
	r, ok := errors.AsType[*replica.ChangeRefused](err)
	if !ok {
		return false
	}
	switch r.Reason {
	case replica.ChangeTransferring, replica.ChangeInFlight, replica.ChangeNotCommittedInTerm:
		return true
	}
	return false
}

// errNotEnoughStarted has the code with which etcd sends it.
var errNotEnoughStarted = status.Error(codes.Unknown, rpctypes.ErrorDesc(rpctypes.ErrGRPCMemberNotEnoughStarted))

// membershipErrors are what clients of etcd know of the reasons.
var membershipErrors = map[membership.Reason]error{
	membership.NotMember:  rpctypes.ErrGRPCMemberNotFound,
	membership.NotLearner: rpctypes.ErrGRPCMemberNotLearner,
	membership.NoVoters:   errNotEnoughStarted,
}

func changeError(ctx context.Context, err error) error {
	if m, ok := errors.AsType[*membership.Error](err); ok {
		if known := membershipErrors[m.Reason]; known != nil {
			return known
		}
		return status.Error(codes.FailedPrecondition, "quorate: "+m.Text)
	}
	if r, ok := errors.AsType[*replica.ChangeRefused](err); ok {
		switch r.Reason {
		case replica.ChangeNotLeader:
			return err
		case replica.ChangeLearnerBehind:
			return rpctypes.ErrGRPCLearnerNotReady
		case replica.ChangeWouldLoseQuorum:
			return rpctypes.ErrGRPCUnhealthy
		}
		return status.Error(codes.FailedPrecondition, "quorate: "+r.Text)
	}
	if errors.Is(err, host.ErrChangeLost) {
		return rpctypes.ErrGRPCLeaderChanged
	}
	return toStatus(ctx, err)
}
