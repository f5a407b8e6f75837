package etcdapi_test

import (
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/raftcore/host"
)

func TestMemberList(t *testing.T) {
	c, _ := connect(t)
	r, err := c.MemberList(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Members) != 3 || r.Members[0].Name != "one" || r.Members[0].ClientURLs[0] != "http://localhost:2379" || r.Members[1].IsLearner || !r.Members[2].IsLearner {
		t.Errorf("members %v", r.Members)
	}
}

func TestStatus(t *testing.T) {
	c, b := connect(t)
	fill(t, c)
	r, err := c.Status(within(t), c.Endpoints()[0])
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != "3.6.0+quorate-test" || r.Leader != 1 || r.RaftTerm != 3 || r.RaftIndex != 7 || r.RaftAppliedIndex != 7 || r.Header.Revision != 8 || len(r.Errors) > 0 {
		t.Errorf("status %v", r)
	}
	b.refuse(host.ErrNoLeader)
	if r, err = c.Status(within(t), c.Endpoints()[0]); err != nil || len(r.Errors) != 1 || r.Errors[0] != "etcdserver: no leader" {
		t.Errorf("status without a leader: %v, %v", r, err)
	}
}

func TestMaintenance(t *testing.T) {
	c, b := connect(t)
	fill(t, c)
	ctx, endpoint := within(t), c.Endpoints()[0]
	if r, err := c.AlarmList(ctx); err != nil || len(r.Alarms) != 0 {
		t.Errorf("alarms %v, %v", r, err)
	}
	one, err := c.HashKV(ctx, endpoint, 0)
	if err != nil || one.HashRevision != 8 || one.Hash == 0 {
		t.Errorf("hash %v, %v", one, err)
	}
	if _, err := c.Defragment(ctx, endpoint); err != nil {
		t.Error(err)
	}
	if two, err := c.HashKV(ctx, endpoint, 8); err != nil || two.Hash != one.Hash {
		t.Errorf("after defragmenting the hash is %v, %v", two, err)
	}
	if three, err := c.HashKV(ctx, endpoint, 7); err != nil || three.Hash == one.Hash {
		t.Errorf("the hash of an older revision is %v, %v", three, err)
	}
	if _, err := c.MoveLeader(ctx, 2); err != nil || b.movedTo != 2 {
		t.Errorf("leadership went to %d, %v", b.movedTo, err)
	}
	if _, err := c.MoveLeader(ctx, 1); err != nil || b.movedTo != 2 {
		t.Errorf("moving leadership to its owner: %v, it went to %d", err, b.movedTo)
	}
	for _, id := range []uint64{3, 9} {
		if _, err := c.MoveLeader(ctx, id); !errors.Is(err, rpctypes.ErrBadLeaderTransferee) {
			t.Errorf("moving leadership to %d, a learner or a stranger: %v", id, err)
		}
	}
	b.follow(2)
	if _, err := c.MoveLeader(ctx, 2); !errors.Is(err, rpctypes.ErrNotLeader) {
		t.Errorf("moving leadership from a follower: %v", err)
	}
}

func TestHealth(t *testing.T) {
	conn, _ := raw(t)
	health := healthpb.NewHealthClient(conn)
	r, err := health.Check(within(t), &healthpb.HealthCheckRequest{})
	if err != nil || r.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health %v, %v", r, err)
	}
	if _, err = health.Check(within(t), &healthpb.HealthCheckRequest{Service: "other"}); status.Code(err) != codes.NotFound {
		t.Errorf("health of an unknown service: %v", err)
	}
}

// A physical compaction has dropped everything when it returns.
func TestCompactPhysical(t *testing.T) {
	c, b := connect(t)
	fill(t, c)
	ctx := within(t)
	if _, err := c.Compact(ctx, 8, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if got := b.store.CompactRevision(); got != 8 {
		t.Errorf("compacted up to %d", got)
	}
	if r, err := c.Get(ctx, "", clientv3.WithPrefix()); err != nil || pairs(r) != "a=3 b=5 c=2 e=0 count 4 more false" {
		t.Errorf("after compaction %v, %v", r, err)
	}
}
