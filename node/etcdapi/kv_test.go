package etcdapi_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/raftcore/host"
)

// fill puts the keys that the tables of Range are about:
//
//	rev 2: a=3   3: b=1   4: c=2   5: b=5   6: d=4   7: d deleted   8: e=0
func fill(t testing.TB, c *clientv3.Client) {
	t.Helper()
	ctx := within(t)
	for _, kv := range []string{"a=3", "b=1", "c=2", "b=5", "d=4", "d", "e=0"} {
		key, value, put := strings.Cut(kv, "=")
		var err error
		if put {
			_, err = c.Put(ctx, key, value)
		} else {
			_, err = c.Delete(ctx, key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func pairs(r *clientv3.GetResponse) string {
	var s []string
	for _, kv := range r.Kvs {
		s = append(s, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return fmt.Sprintf("%s count %d more %t", strings.Join(s, " "), r.Count, r.More)
}

func TestRangeOptions(t *testing.T) {
	c, _ := connect(t)
	fill(t, c)
	all := clientv3.WithFromKey()
	for _, x := range []struct {
		name string
		key  string
		opts []clientv3.OpOption
		want string
	}{
		{"one key", "b", nil, "b=5 count 1 more false"},
		{"no key", "x", nil, " count 0 more false"},
		{"deleted key", "d", nil, " count 0 more false"},
		{"everything", "\x00", []clientv3.OpOption{all}, "a=3 b=5 c=2 e=0 count 4 more false"},
		{"from a key", "b", []clientv3.OpOption{all}, "b=5 c=2 e=0 count 3 more false"},
		{"range", "b", []clientv3.OpOption{clientv3.WithRange("e")}, "b=5 c=2 count 2 more false"},
		{"empty range", "e", []clientv3.OpOption{clientv3.WithRange("b")}, " count 0 more false"},
		{"prefix", "b", []clientv3.OpOption{clientv3.WithPrefix()}, "b=5 count 1 more false"},
		{"limit", "a", []clientv3.OpOption{all, clientv3.WithLimit(2)}, "a=3 b=5 count 4 more true"},
		{"limit not reached", "a", []clientv3.OpOption{all, clientv3.WithLimit(4)}, "a=3 b=5 c=2 e=0 count 4 more false"},
		{"old revision", "a", []clientv3.OpOption{all, clientv3.WithRev(4)}, "a=3 b=1 c=2 count 3 more false"},
		{"before its deletion", "d", []clientv3.OpOption{clientv3.WithRev(6)}, "d=4 count 1 more false"},
		{"at its deletion", "d", []clientv3.OpOption{clientv3.WithRev(7)}, " count 0 more false"},
		{"keys only", "a", []clientv3.OpOption{all, clientv3.WithKeysOnly()}, "a= b= c= e= count 4 more false"},
		{"count only", "a", []clientv3.OpOption{all, clientv3.WithCountOnly()}, " count 4 more false"},
		{"count only with limit", "a", []clientv3.OpOption{all, clientv3.WithCountOnly(), clientv3.WithLimit(1)}, " count 4 more false"},
		{"count at an old revision", "a", []clientv3.OpOption{all, clientv3.WithCountOnly(), clientv3.WithRev(6)}, " count 4 more false"},
		{"descending", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)}, "e=0 c=2 b=5 a=3 count 4 more false"},
		{"descending with limit", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend), clientv3.WithLimit(1)}, "e=0 count 4 more true"},
		{"by value", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend)}, "e=0 c=2 a=3 b=5 count 4 more false"},
		{"by value, keys only", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend), clientv3.WithKeysOnly()}, "e= c= a= b= count 4 more false"},
		{"by version, none is ascending", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByVersion, clientv3.SortNone)}, "a=3 c=2 e=0 b=5 count 4 more false"},
		{"by create revision", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortDescend)}, "e=0 c=2 b=5 a=3 count 4 more false"},
		{"by mod revision", "a", []clientv3.OpOption{all, clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortAscend)}, "a=3 c=2 b=5 e=0 count 4 more false"},
		{"least mod revision", "a", []clientv3.OpOption{all, clientv3.WithMinModRev(5)}, "b=5 e=0 count 4 more false"},
		{"largest mod revision", "a", []clientv3.OpOption{all, clientv3.WithMaxModRev(4)}, "a=3 c=2 count 4 more false"},
		{"least create revision and limit", "a", []clientv3.OpOption{all, clientv3.WithMinCreateRev(3), clientv3.WithLimit(2)}, "b=5 c=2 count 4 more true"},
		{"largest create revision", "a", []clientv3.OpOption{all, clientv3.WithMaxCreateRev(2)}, "a=3 count 4 more false"},
		{"serializable", "a", []clientv3.OpOption{clientv3.WithSerializable()}, "a=3 count 1 more false"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r, err := c.Get(within(t), x.key, x.opts...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(x.want, pairs(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r.Header.Revision != 8 || r.Header.RaftTerm != 3 || r.Header.MemberId != 1 || r.Header.ClusterId != etcdapi.ClusterID("test") {
				t.Errorf("header %v", r.Header)
			}
		})
	}
}

// Only linearizable reads wait for the barrier.
func TestBarrier(t *testing.T) {
	c, b := connect(t)
	ctx := within(t)
	steps := []struct {
		want int
		do   func() error
	}{
		{0, func() error { _, err := c.Get(ctx, "a", clientv3.WithSerializable()); return err }},
		{1, func() error { _, err := c.Get(ctx, "a"); return err }},
		{0, func() error {
			_, err := c.Txn(ctx).Then(clientv3.OpGet("a", clientv3.WithSerializable())).Commit()
			return err
		}},
		{1, func() error { _, err := c.Txn(ctx).Then(clientv3.OpGet("a")).Commit(); return err }},
		{0, func() error { _, err := c.Put(ctx, "a", "1"); return err }},
		{0, func() error { _, err := c.MemberList(ctx, clientv3.WithSerializable()); return err }},
		{1, func() error { _, err := c.MemberList(ctx); return err }},
	}
	for i, s := range steps {
		before := b.barriers
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got := b.barriers - before; got != s.want {
			t.Errorf("step %d: %d barriers, want %d", i, got, s.want)
		}
	}
}

func TestPutAndDelete(t *testing.T) {
	c, _ := connect(t)
	ctx := within(t)
	put := func(want string, opts ...clientv3.OpOption) {
		t.Helper()
		r, err := c.Put(ctx, "k", map[bool]string{true: "", false: "v"}[len(opts) > 1], opts...)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if p := r.PrevKv; p != nil {
			got = fmt.Sprintf("%s=%s create %d mod %d version %d", p.Key, p.Value, p.CreateRevision, p.ModRevision, p.Version)
		}
		if got != want {
			t.Errorf("previous pair %q, want %q", got, want)
		}
	}
	put("none")
	put("k=v create 2 mod 2 version 1", clientv3.WithPrevKV())
	put("k=v create 2 mod 3 version 2", clientv3.WithPrevKV(), clientv3.WithIgnoreValue())
	d, err := c.Delete(ctx, "", clientv3.WithPrefix(), clientv3.WithPrevKV())
	if err != nil {
		t.Fatal(err)
	}
	if d.Deleted != 1 || d.Header.Revision != 5 || len(d.PrevKvs) != 1 || d.PrevKvs[0].Version != 3 || string(d.PrevKvs[0].Value) != "v" {
		t.Errorf("deleted %v", d)
	}
	if d, err = c.Delete(ctx, "k"); err != nil || d.Deleted != 0 || d.Header.Revision != 5 {
		t.Errorf("deleting nothing: %v, %v", d, err)
	}
	put("none", clientv3.WithPrevKV())
	r, err := c.Get(ctx, "k")
	if err != nil || r.Kvs[0].Version != 1 || r.Kvs[0].CreateRevision != 6 {
		t.Errorf("put after a deletion: %v, %v", r, err)
	}
}

func TestErrors(t *testing.T) {
	c, b := connect(t)
	fill(t, c)
	ctx := within(t)
	if _, err := c.Compact(ctx, 5, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	deep := clientv3.OpTxn(nil, make128(), nil)
	for _, x := range []struct {
		name string
		do   func() error
		want error
	}{
		{"empty key", func() error { _, err := c.Put(ctx, "", "v"); return err }, rpctypes.ErrEmptyKey},
		{"no such lease", func() error { _, err := c.Put(ctx, "a", "v", clientv3.WithLease(7)); return err }, rpctypes.ErrLeaseNotFound},
		{"ignore value of no key", func() error { _, err := c.Put(ctx, "x", "", clientv3.WithIgnoreValue()); return err }, rpctypes.ErrKeyNotFound},
		{"ignore lease of no key", func() error { _, err := c.Put(ctx, "d", "v", clientv3.WithIgnoreLease()); return err }, rpctypes.ErrKeyNotFound},
		{"ignore value with value", func() error { _, err := c.Put(ctx, "a", "v", clientv3.WithIgnoreValue()); return err }, rpctypes.ErrValueProvided},
		{"ignore lease with lease", func() error {
			_, err := c.Put(ctx, "a", "v", clientv3.WithIgnoreLease(), clientv3.WithLease(7))
			return err
		}, rpctypes.ErrLeaseProvided},
		{"compacted", func() error { _, err := c.Get(ctx, "a", clientv3.WithRev(4)); return err }, rpctypes.ErrCompacted},
		{"future", func() error { _, err := c.Get(ctx, "a", clientv3.WithRev(9)); return err }, rpctypes.ErrFutureRev},
		{"compact again", func() error { _, err := c.Compact(ctx, 5); return err }, rpctypes.ErrCompacted},
		{"compact the future", func() error { _, err := c.Compact(ctx, 100); return err }, rpctypes.ErrFutureRev},
		{"duplicate key", txn(c, clientv3.OpPut("a", "1"), clientv3.OpPut("a", "2")), rpctypes.ErrDuplicateKey},
		{"put and delete", txn(c, clientv3.OpDelete("a"), clientv3.OpPut("a", "2")), rpctypes.ErrDuplicateKey},
		{"put and delete range", txn(c, clientv3.OpPut("b", "2"), clientv3.OpDelete("a", clientv3.WithRange("c"))), rpctypes.ErrDuplicateKey},
		{"nested duplicate", txn(c, clientv3.OpPut("a", "2"), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("a", "1")}, nil)), rpctypes.ErrDuplicateKey},
		{"too many operations", txn(c, append(make128(), clientv3.OpGet("a"))...), rpctypes.ErrTooManyOps},
		{"too many nested", txn(c, deep), rpctypes.ErrTooManyOps},
		{"empty key in txn", txn(c, clientv3.OpPut("", "2")), rpctypes.ErrEmptyKey},
		{"future in txn", txn(c, clientv3.OpPut("q", "2"), clientv3.OpGet("a", clientv3.WithRev(100))), rpctypes.ErrFutureRev},
		{"compacted in txn", txn(c, clientv3.OpGet("a", clientv3.WithRev(1))), rpctypes.ErrCompacted},
		{"lease in txn", txn(c, clientv3.OpPut("q", "2", clientv3.WithLease(9))), rpctypes.ErrLeaseNotFound},
		{"too large", func() error { _, err := c.Put(ctx, "a", strings.Repeat("x", 64<<10)); return err }, rpctypes.ErrRequestTooLarge},
		{"overloaded", refused(b, host.ErrOverloaded, c), rpctypes.ErrTooManyRequests},
		{"too large for the log", refused(b, host.ErrTooLarge, c), rpctypes.ErrRequestTooLarge},
		{"no leader", refused(b, host.ErrNoLeader, c), rpctypes.ErrNoLeader},
		{"fenced", refused(b, host.ErrFenced, c), rpctypes.ErrUnhealthy},
		{"closed", refused(b, host.ErrClosed, c), rpctypes.ErrStopped},
	} {
		t.Run(x.name, func(t *testing.T) {
			if err := x.do(); !errors.Is(err, x.want) {
				t.Errorf("error %v, want %v", err, x.want)
			}
		})
	}
	if r, err := c.Get(ctx, "q"); err != nil || r.Count != 0 || r.Header.Revision != 8 {
		t.Errorf("a refused transaction left something: %v, %v", r, err)
	}
}

func make128() []clientv3.Op {
	var ops []clientv3.Op
	for range 128 {
		ops = append(ops, clientv3.OpGet("a"))
	}
	return ops
}

func txn(c *clientv3.Client, ops ...clientv3.Op) func() error {
	return func() error {
		_, err := c.Txn(c.Ctx()).Then(ops...).Commit()
		return err
	}
}

func refused(b *single, err error, c *clientv3.Client) func() error {
	return func() error {
		b.refuse(err)
		defer b.refuse(nil)
		_, got := c.Put(c.Ctx(), "a", "1")
		return got
	}
}

// Both sides of a nested transaction may put a key; separate keys may be put and
// deleted.
func TestTxnThatIsAllowed(t *testing.T) {
	c, _ := connect(t)
	fill(t, c)
	side := func(v string) []clientv3.Op { return []clientv3.Op{clientv3.OpPut("n", v)} }
	r, err := c.Txn(within(t)).If(clientv3.Compare(clientv3.Value("b"), "=", "5"), clientv3.Compare(clientv3.Version("x"), "=", 0)).Then(
		clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision("x"), "!=", 0)}, side("then"), side("else")),
		clientv3.OpDelete("c", clientv3.WithFromKey(), clientv3.WithRange("m")),
		clientv3.OpGet("", clientv3.WithFromKey()),
	).Commit()
	if err != nil {
		t.Fatal(err)
	}
	get := r.Responses[2].GetResponseRange()
	if got := pairs((*clientv3.GetResponse)(get)); !r.Succeeded || got != "a=3 b=5 n=else count 3 more false" {
		t.Errorf("succeeded %t, reads %s", r.Succeeded, got)
	}
	if r.Header.Revision != 9 || r.Responses[1].GetResponseDeleteRange().Deleted != 2 {
		t.Errorf("response %v", r)
	}
}

// raw gives the generated clients, for what clientv3 does not let through.
func raw(t testing.TB) (*grpc.ClientConn, *single) {
	b := newSingle(t)
	conn, err := grpc.NewClient(serve(t, etcdapi.Options{Backend: b}), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, b
}

func TestRawErrors(t *testing.T) {
	conn, _ := raw(t)
	ctx := within(t)
	kvc := pb.NewKVClient(conn)
	for _, x := range []struct {
		name string
		do   func() error
		want string
	}{
		{"sort order", func() error {
			_, err := kvc.Range(ctx, &pb.RangeRequest{Key: []byte("a"), SortOrder: 9})
			return err
		}, "InvalidArgument etcdserver: invalid sort option"},
		{"empty operation", func() error {
			_, err := kvc.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{{}}})
			return err
		}, "InvalidArgument etcdserver: key not found"},
		{"empty compare key", func() error {
			_, err := kvc.Txn(ctx, &pb.TxnRequest{Compare: []*pb.Compare{{}}})
			return err
		}, "InvalidArgument etcdserver: key is not provided"},
		{"lease", func() error {
			_, err := pb.NewLeaseClient(conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 1})
			return err
		}, "Unimplemented quorate: Lease.LeaseGrant is not implemented yet"},
		{"auth", func() error {
			_, err := pb.NewAuthClient(conn).AuthEnable(ctx, &pb.AuthEnableRequest{})
			return err
		}, "Unimplemented quorate: Auth.AuthEnable is not implemented yet"},
		{"lock", func() error {
			return conn.Invoke(ctx, "/v3lockpb.Lock/Lock", &pb.PutRequest{}, &pb.PutResponse{})
		}, "Unimplemented quorate: Lock.Lock is not implemented yet"},
		{"snapshot", func() error {
			s, err := pb.NewMaintenanceClient(conn).Snapshot(ctx, &pb.SnapshotRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, "Unimplemented quorate: Maintenance.Snapshot is not implemented yet"},
		{"not on the wire", func() error {
			_, err := kvc.Put(ctx, &pb.PutRequest{Key: []byte("a"), Value: bytes.Repeat([]byte{1}, 3<<20)})
			return err
		}, "ResourceExhausted grpc: received message larger than max (3145736 vs. 2097152)"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := status.Convert(x.do())
			if got := fmt.Sprint(s.Code(), " ", s.Message()); got != x.want {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
		})
	}
}
