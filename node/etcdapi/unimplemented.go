package etcdapi

import (
	"context"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unimplemented says by name what is not there yet.
func unimplemented(service, method string) error {
	return status.Errorf(codes.Unimplemented, "quorate: %s.%s is not implemented yet", service, method)
}

// unknownMethod answers for the services that are not registered: Lease, Auth,
// Lock, Election.
func unknownMethod(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream) // "/etcdserverpb.Lease/LeaseGrant"
	service, method, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return unimplemented(service[strings.LastIndexByte(service, '.')+1:], method)
}

func (k *kvService) RangeStream(*pb.RangeRequest, grpc.ServerStreamingServer[pb.RangeStreamResponse]) error {
	return unimplemented("KV", "RangeStream")
}

func (m *maintenanceService) Snapshot(*pb.SnapshotRequest, grpc.ServerStreamingServer[pb.SnapshotResponse]) error {
	return unimplemented("Maintenance", "Snapshot")
}

func (m *maintenanceService) Downgrade(context.Context, *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	return nil, unimplemented("Maintenance", "Downgrade")
}
