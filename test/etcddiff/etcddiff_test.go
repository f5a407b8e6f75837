package etcddiff

// The same random requests go to a real etcd, embedded in the test, and to our API
// over a store and a membership without replication. Everything in the answers but IDs and terms must
// be equal, errors and their texts included.

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// single is a member without a log.
type single struct {
	store *kv.Store
	mu    sync.Mutex
	index protocol.Index
	roll
}

func (b *single) Propose(ctx context.Context, payload []byte) (machine.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	rs := make([]machine.Result, 1)
	err := b.store.Apply([]machine.Command{{Index: b.index, Term: 1, Payload: payload}}, rs)
	return rs[0], err
}
func (b *single) ReadBarrier(context.Context) error                { return nil }
func (b *single) Store() *kv.Store                                 { return b.store }
func (b *single) Term() uint64                                     { return 1 }
func (b *single) Status() nodeapi.Status                           { return nodeapi.Status{LeaderID: 1} }
func (b *single) TransferLeadership(context.Context, uint64) error { return nil }

func dial(t *testing.T, a string) *grpc.ClientConn {
	c, err := grpc.NewClient(a, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// generator makes requests, some of which must be refused.
type generator struct {
	*rand.Rand
	rev int64
	// byTxn are revisions that transactions made. None is compacted: where one has written
	// a key more than once, etcd 3.7.3 then drops what its index still names, and ends its
	// process when that key is read ("range failed to find revision pair").
	byTxn map[int64]bool
}

func (g *generator) key() []byte {
	if g.IntN(60) == 0 {
		return nil
	}
	return []byte{byte('a' + g.IntN(6))}
}

func (g *generator) span() ([]byte, []byte) {
	k := g.key()
	switch g.IntN(6) {
	case 0:
		return k, []byte{0}
	case 1:
		return []byte{0}, []byte{0}
	case 2, 3:
		return k, g.key()
	}
	return k, nil
}

func (g *generator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), PrevKv: g.IntN(2) == 0, Value: fmt.Appendf(nil, "%d", g.IntN(5))}
	switch g.IntN(14) {
	case 0:
		r.IgnoreValue = true
	case 1:
		r.IgnoreValue, r.Value = true, nil
	case 2:
		r.IgnoreLease = true
	case 3:
		r.Lease = 9
	}
	return r
}

func (g *generator) del() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{PrevKv: g.IntN(2) == 0}
	r.Key, r.RangeEnd = g.span()
	return r
}

func (g *generator) read() *pb.RangeRequest {
	r := &pb.RangeRequest{Limit: int64(max(0, g.IntN(6)-2)), KeysOnly: g.IntN(5) == 0, CountOnly: g.IntN(8) == 0}
	r.Key, r.RangeEnd = g.span()
	if g.IntN(2) == 0 {
		r.Revision = g.rev + 2 - int64(g.IntN(int(g.rev)+4))
	}
	if g.IntN(3) == 0 {
		r.SortOrder = pb.RangeRequest_SortOrder(g.IntN(4))
		r.SortTarget = pb.RangeRequest_SortTarget(g.IntN(6))
	}
	if g.IntN(4) == 0 {
		for _, b := range []*int64{&r.MinModRevision, &r.MaxModRevision, &r.MinCreateRevision, &r.MaxCreateRevision} {
			if g.IntN(3) == 0 {
				*b = g.Int64N(g.rev + 1)
			}
		}
	}
	return r
}

func (g *generator) cmp() *pb.Compare {
	c := &pb.Compare{Result: pb.Compare_CompareResult(g.IntN(5)), Target: pb.Compare_CompareTarget(g.IntN(6))}
	c.Key, c.RangeEnd = g.span()
	n := g.Int64N(4)
	switch c.Target {
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: fmt.Appendf(nil, "%d", n)}
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: n}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: g.Int64N(g.rev)}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: g.Int64N(g.rev)}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: n}
	}
	return c
}

func (g *generator) txn(d int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.cmp())
	}
	for _, ops := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		for range g.IntN(4) {
			var op *pb.RequestOp
			switch n := g.IntN(8); {
			case n == 0 && d < 2:
				op = &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(d + 1)}}
			case n < 3:
				op = &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.read()}}
			case n < 4:
				op = &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.del()}}
			default:
				p := g.put()
				p.IgnoreValue, p.IgnoreLease = false, false
				op = &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: p}}
			}
			*ops = append(*ops, op)
		}
	}
	return r
}

var (
	seedFlag = flag.Uint64("seed", 1, "seed of the requests; 0: by the clock")
	timeFlag = flag.Duration("for", 20*time.Second, "how long to compare")
)

// startEtcd starts an etcd on free ports of loopback, for clients and for peers.
func startEtcd(t *testing.T) (string, string) {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.UnsafeNoFsync = t.TempDir(), "fatal", true
	client, peer := freeURL(t), freeURL(t)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	<-e.Server.ReadyNotify()
	return client.Host, peer.Host
}

func freeURL(t *testing.T) url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

func startOurs(t *testing.T, peer string) (string, *kv.Store) {
	store, err := kv.Open(kv.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := etcdapi.New(etcdapi.Options{ClusterID: "diff", MemberID: 1, Backend: &single{store: store, roll: newRoll(peer)}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		server.Close(context.Background())
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String(), store
}

// call is one request that can be sent to either.
type call struct {
	request proto.Message
	send    func(context.Context, pb.KVClient) (proto.Message, error)
}

func (g *generator) call() call {
	switch n := g.IntN(20); {
	case n < 6:
		r := g.put()
		return call{r, func(ctx context.Context, c pb.KVClient) (proto.Message, error) { return c.Put(ctx, r) }}
	case n < 8:
		r := g.del()
		return call{r, func(ctx context.Context, c pb.KVClient) (proto.Message, error) { return c.DeleteRange(ctx, r) }}
	case n < 13:
		r := g.txn(0)
		return call{r, func(ctx context.Context, c pb.KVClient) (proto.Message, error) { return c.Txn(ctx, r) }}
	case n < 14 && g.IntN(4) == 0:
		r := &pb.CompactionRequest{Revision: g.rev + 2 - g.Int64N(min(g.rev+3, 40)), Physical: g.IntN(2) == 0}
		for g.byTxn[r.Revision] {
			r.Revision-- // see byTxn
		}
		return call{r, func(ctx context.Context, c pb.KVClient) (proto.Message, error) { return c.Compact(ctx, r) }}
	}
	r := g.read()
	return call{r, func(ctx context.Context, c pb.KVClient) (proto.Message, error) { return c.Range(ctx, r) }}
}

func TestSameAsEtcd(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	theirs, peer := startEtcd(t)
	address, store := startOurs(t, peer)
	etcd, ours := pb.NewKVClient(dial(t, theirs)), pb.NewKVClient(dial(t, address))
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), rev: 1, byTxn: map[int64]bool{}}
	kinds := map[string]int{}
	for end := time.Now().Add(*timeFlag); time.Now().Before(end) && !t.Failed(); g.rev = store.Revision() {
		c := g.call()
		want, wantErr := c.send(t.Context(), etcd)
		got, err := c.send(t.Context(), ours)
		if diff := compare(want, got, wantErr, err); diff != "" {
			t.Errorf("seed %d, revision %d: %T %v (-etcd +ours):\n%s", seed, g.rev, c.request, c.request, diff)
		}
		if _, txn := c.request.(*pb.TxnRequest); txn && store.Revision() > g.rev {
			g.byTxn[store.Revision()] = true
		}
		kinds[fmt.Sprintf("%T %s", c.request, status.Convert(wantErr).Message())]++
	}
	t.Logf("compared up to revision %d: %v", g.rev, kinds)
}

func compare(want, got proto.Message, wantErr, err error) string {
	w, o := status.Convert(wantErr), status.Convert(err)
	if w.Code() != o.Code() || w.Message() != o.Message() || err != nil {
		return cmp.Diff(fmt.Sprint(w.Code(), w.Message()), fmt.Sprint(o.Code(), o.Message()))
	}
	return cmp.Diff(want, got, protocmp.Transform(),
		protocmp.IgnoreFields(&pb.ResponseHeader{}, "cluster_id", "member_id", "raft_term"))
}
