package etcdapi

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/storage"
)

// A client of a member whose disk is full reads what it knows from etcd.
func TestAFullDiskLooksLikeEtcds(t *testing.T) {
	for _, err := range []error{host.ErrDiskFull, fmt.Errorf("put: %w", &host.DiskFullError{Room: storage.Room{Free: 1}})} {
		got := status.Convert(toStatus(t.Context(), err))
		if got.Message() != "etcdserver: mvcc: database space exceeded" {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
