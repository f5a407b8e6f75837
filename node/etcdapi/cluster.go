package etcdapi

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// clusterService implements etcdserverpb.ClusterServer.
type clusterService struct {
	pb.UnsafeClusterServer
	s *Server
}

// MemberList gives the members, linearizable when the request says so.
func (c *clusterService) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if r.Linearizable {
		if err := c.s.barrier(ctx); err != nil {
			return nil, err
		}
	}
	return &pb.MemberListResponse{Header: c.header(), Members: c.members()}, nil
}

// header makes the header of an answer about members; etcd tells no revision there.
func (c *clusterService) header() *pb.ResponseHeader {
	h := &pb.ResponseHeader{}
	c.s.fill(h)
	return h
}

func (c *clusterService) members() []*pb.Member {
	var all []*pb.Member
	for _, m := range c.s.options.Backend.Members() {
		all = append(all, &pb.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.Learner,
		})
	}
	return all
}
