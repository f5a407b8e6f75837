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
	response := &pb.MemberListResponse{Header: &pb.ResponseHeader{}} // etcd tells no revision here
	c.s.fill(response.Header)
	for _, m := range c.s.options.Backend.Members() {
		response.Members = append(response.Members, &pb.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, IsLearner: m.Learner,
		})
	}
	return response, nil
}
