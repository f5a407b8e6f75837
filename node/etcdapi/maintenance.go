package etcdapi

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/protocol"
)

// APIVersion is the version of etcd whose API this is. Clients read it as a semantic
// version and choose what they ask for by it.
const APIVersion = "3.6.0"

// maintenanceService implements etcdserverpb.MaintenanceServer.
type maintenanceService struct {
	pb.UnsafeMaintenanceServer
	s *Server
}

// Status tells about this member. The version is APIVersion with this program's as
// build metadata.
func (m *maintenanceService) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	b := m.s.options.Backend
	status := b.Status()
	total, inUse := b.Store().Size()
	response := &pb.StatusResponse{
		Header:           m.s.header(),
		Version:          APIVersion,
		DbSize:           total,
		DbSizeInUse:      inUse,
		Leader:           status.LeaderID,
		RaftIndex:        status.CommitIndex,
		RaftAppliedIndex: status.AppliedIndex,
		RaftTerm:         status.Term,
		IsLearner:        status.Role == nodeapi.RoleLearner,
		StorageVersion:   APIVersion,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}
	if m.s.options.Version != "" {
		response.Version += "+quorate-" + m.s.options.Version
	}
	if status.LeaderID == 0 {
		response.Errors = append(response.Errors, "etcdserver: no leader")
	}
	if h := status.Health; h != nil {
		response.Errors = append(response.Errors, "quorate: "+h.Fault+": "+h.Message)
	}
	return response, nil
}

// Alarm answers that there is none: faults are told by Status and the admin
// endpoint.
func (m *maintenanceService) Alarm(_ context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.Action == pb.AlarmRequest_ACTIVATE {
		return nil, unimplemented("Maintenance", "Alarm(ACTIVATE)")
	}
	return &pb.AlarmResponse{Header: m.s.header()}, nil
}

// Defragment rewrites the store's files without what is obsolete.
func (m *maintenanceService) Defragment(ctx context.Context, _ *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	if err := m.s.options.Backend.Store().Defragment(ctx); err != nil {
		return nil, toStatus(ctx, err)
	}
	return &pb.DefragmentResponse{Header: m.s.header()}, nil
}

// Hash gives a hash of what this member's clients can see.
func (m *maintenanceService) Hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	hash, at, _, err := m.s.options.Backend.Store().Hash(0)
	if err != nil {
		return nil, toStatus(ctx, err)
	}
	response := &pb.HashResponse{Header: &pb.ResponseHeader{Revision: at}, Hash: uint32(hash)}
	m.s.fill(response.Header)
	return response, nil
}

// HashKV gives the same at a revision. Members that have the same compacted revision
// have the same hash; it is not the one of an etcd with the same content.
func (m *maintenanceService) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	hash, at, compacted, err := m.s.options.Backend.Store().Hash(r.Revision)
	if err != nil {
		return nil, toStatus(ctx, err)
	}
	response := &pb.HashKVResponse{
		Header: m.s.header(), Hash: uint32(hash), HashRevision: at, CompactRevision: compacted,
	}
	return response, nil
}

// MoveLeader hands leadership to another member. Only the leader can.
func (m *maintenanceService) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	b := m.s.options.Backend
	status := b.Status()
	if status.LeaderID != m.s.options.MemberID {
		return nil, rpctypes.ErrGRPCNotLeader
	}
	if x, ok := b.Membership().Find(protocol.MemberID(r.TargetID)); !ok || x.Suffrage != protocol.Voter {
		return nil, rpctypes.ErrGRPCBadLeaderTransferee
	}
	if r.TargetID != m.s.options.MemberID { // who leads already has nothing to take over
		if err := b.TransferLeadership(ctx, r.TargetID); err != nil {
			return nil, toStatus(ctx, err)
		}
	}
	return &pb.MoveLeaderResponse{Header: m.s.header()}, nil
}
