package etcdapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/quorate/quorate/node/etcdapi"
)

// collect takes events from the watch until there are n.
func collect(t testing.TB, ch clientv3.WatchChan, n int) []string {
	t.Helper()
	var events []string
	for len(events) < n {
		r, ok := <-ch
		if !ok || r.Err() != nil {
			t.Fatalf("the watch ended after %q: %v", events, r.Err())
		}
		for _, e := range r.Events {
			s := fmt.Sprintf("%d %s %s=%s", e.Kv.ModRevision, e.Type, e.Kv.Key, e.Kv.Value)
			if e.PrevKv != nil {
				s += fmt.Sprintf(" was %s", e.PrevKv.Value)
			}
			events = append(events, s)
		}
	}
	return events
}

func TestWatchOptions(t *testing.T) {
	every := clientv3.WithPrefix()
	for _, x := range []struct {
		name string
		key  string
		opts []clientv3.OpOption
		want []string
	}{
		{"history of one key", "b", []clientv3.OpOption{clientv3.WithRev(1)}, []string{"3 PUT b=1", "5 PUT b=5", "9 PUT b=9", "10 DELETE b="}},
		{"from a revision on", "b", []clientv3.OpOption{clientv3.WithRev(4)}, []string{"5 PUT b=5", "9 PUT b=9", "10 DELETE b="}},
		{"from now on", "b", nil, []string{"9 PUT b=9", "10 DELETE b="}},
		{"from a future revision on", "b", []clientv3.OpOption{clientv3.WithRev(10)}, []string{"10 DELETE b="}},
		{"everything", "", []clientv3.OpOption{every, clientv3.WithRev(6)}, []string{"6 PUT d=4", "7 DELETE d=", "8 PUT e=0", "9 PUT b=9", "10 DELETE b=", "11 PUT z=end"}},
		{"range", "c", []clientv3.OpOption{clientv3.WithRange("e"), clientv3.WithRev(1)}, []string{"4 PUT c=2", "6 PUT d=4", "7 DELETE d="}},
		{"previous pairs", "", []clientv3.OpOption{every, clientv3.WithRev(5), clientv3.WithPrevKV()}, []string{"5 PUT b=5 was 1", "6 PUT d=4", "7 DELETE d= was 4", "8 PUT e=0", "9 PUT b=9 was 5", "10 DELETE b= was 9", "11 PUT z=end"}},
		{"no puts", "", []clientv3.OpOption{every, clientv3.WithRev(1), clientv3.WithFilterPut()}, []string{"7 DELETE d=", "10 DELETE b="}},
		{"no deletions", "d", []clientv3.OpOption{clientv3.WithFromKey(), clientv3.WithRev(1), clientv3.WithFilterDelete()}, []string{"6 PUT d=4", "8 PUT e=0", "11 PUT z=end"}},
		{"fragments", "", []clientv3.OpOption{every, clientv3.WithRev(8), clientv3.WithFragment()}, []string{"8 PUT e=0", "9 PUT b=9", "10 DELETE b=", "11 PUT z=end"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			c, _ := connect(t)
			fill(t, c)
			ctx := within(t)
			ch := c.Watch(ctx, x.key, append(x.opts, clientv3.WithCreatedNotify())...)
			if r := <-ch; !r.Created {
				t.Fatalf("the first answer is %+v", r)
			}
			for _, op := range []clientv3.Op{clientv3.OpPut("b", "9"), clientv3.OpDelete("b"), clientv3.OpPut("z", "end")} {
				if _, err := c.Do(ctx, op); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(x.want, collect(t, ch, len(x.want))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWatchCompacted(t *testing.T) {
	c, _ := connect(t)
	fill(t, c)
	ctx := within(t)
	if _, err := c.Compact(ctx, 7); err != nil {
		t.Fatal(err)
	}
	r, ok := <-c.Watch(ctx, "a", clientv3.WithRev(6))
	if !ok || !errors.Is(r.Err(), rpctypes.ErrCompacted) || r.CompactRevision != 7 || !r.Canceled {
		t.Errorf("watching what is compacted: %+v, %v", r, r.Err())
	}
	got := collect(t, c.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(7), clientv3.WithPrevKV()), 2)
	if diff := cmp.Diff([]string{"7 DELETE d=", "8 PUT e=0"}, got); diff != "" {
		t.Errorf("watching from the compacted revision on (-want +got):\n%s", diff)
	}
}

// A transaction's events come together and have one revision.
func TestWatchTxn(t *testing.T) {
	c, _ := connect(t)
	ctx := within(t)
	ch := c.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
	<-ch
	put := []clientv3.Op{clientv3.OpPut("k", "1")}
	if _, err := c.Txn(ctx).Then(clientv3.OpTxn(nil, put, nil), clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpDelete("k")}, nil), clientv3.OpPut("l", "2")).Commit(); err != nil {
		t.Fatal(err)
	}
	r := <-ch
	if len(r.Events) != 3 || r.Header.Revision != 2 {
		t.Fatalf("events %v at %d", r.Events, r.Header.Revision)
	}
	for i, e := range r.Events {
		if e.Kv.ModRevision != 2 || e.PrevKv != nil {
			t.Errorf("event %d is %v: all are of revision 2, before which there was nothing", i, e)
		}
	}
}

func TestWatchProgress(t *testing.T) {
	c, _ := connect(t)
	fill(t, c)
	ctx := clientv3.WithRequireLeader(within(t))
	ch := c.Watch(ctx, "b", clientv3.WithRev(1))
	collect(t, ch, 2)
	if err := c.RequestProgress(ctx); err != nil {
		t.Fatal(err)
	}
	if r := <-ch; !r.IsProgressNotify() || r.Header.Revision != 8 {
		t.Errorf("progress on request: %+v", r)
	}
}

func TestWatchNotify(t *testing.T) {
	b := newSingle(t)
	c := dial(t, serve(t, etcdapi.Options{Backend: b, ProgressInterval: 20 * time.Millisecond}))
	fill(t, c)
	ch := c.Watch(within(t), "b", clientv3.WithProgressNotify())
	for range 2 {
		if r := <-ch; !r.IsProgressNotify() || r.Header.Revision != 8 {
			t.Errorf("an idle watch got %+v", r)
		}
	}
}

// Thousands of watches on one stream, of keys and of ranges, get what is theirs.
func TestManyWatches(t *testing.T) {
	const n = 3000
	c, _ := connect(t)
	ctx := within(t)
	var chans []clientv3.WatchChan
	for i := range n {
		key := fmt.Sprintf("%05d/", i)
		ch := c.Watch(ctx, key, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		if i%2 == 1 {
			ch = c.Watch(ctx, key+"x", clientv3.WithCreatedNotify())
		}
		chans = append(chans, ch)
	}
	for _, ch := range chans {
		<-ch
	}
	for i := 0; i < n; i += 100 {
		var ops []clientv3.Op
		for j := i; j < i+100; j++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("%05d/x", j), "v"))
		}
		if _, err := c.Txn(ctx).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for i, ch := range chans {
		want := []string{fmt.Sprintf("%d PUT %05d/x=v", 2+i/100, i)}
		if diff := cmp.Diff(want, collect(t, ch, 1)); diff != "" {
			t.Fatalf("watch %d (-want +got):\n%s", i, diff)
		}
	}
}

// watchStream opens a stream of the generated client.
func watchStream(t testing.TB, o etcdapi.Options) (pb.Watch_WatchClient, *clientv3.Client) {
	address := serve(t, o)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	stream, err := pb.NewWatchClient(conn).Watch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return stream, dial(t, address)
}

func create(r *pb.WatchCreateRequest) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
}

// The protocol below clientv3: IDs, refusals, cancelling.
func TestWatchProtocol(t *testing.T) {
	stream, _ := watchStream(t, etcdapi.Options{Backend: newSingle(t)})
	key, end := []byte("b"), []byte("a")
	for _, x := range []struct {
		request *pb.WatchRequest
		want    string
	}{
		{create(&pb.WatchCreateRequest{Key: key}), "0 created"},
		{create(&pb.WatchCreateRequest{Key: key, WatchId: 1}), "1 created"},
		{create(&pb.WatchCreateRequest{Key: key}), "2 created"},
		{create(&pb.WatchCreateRequest{Key: key, WatchId: 77}), "77 created"},
		{create(&pb.WatchCreateRequest{Key: key, WatchId: 77}), "-1 created canceled mvcc: duplicate watch ID provided on the WatchStream"},
		{create(&pb.WatchCreateRequest{Key: key, RangeEnd: end}), "-1 created canceled mvcc: watcher range is empty"},
		{create(&pb.WatchCreateRequest{Key: key, StartRevision: -1}), "-1 created canceled etcdserver: mvcc: required revision has been compacted"},
		{&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 1}}}, "1 canceled"},
		{create(&pb.WatchCreateRequest{Key: key, WatchId: 1}), "1 created"},
		{&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}, "-1"},
	} {
		if err := stream.Send(x.request); err != nil {
			t.Fatal(err)
		}
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got := []string{fmt.Sprint(r.WatchId)}
		if r.Created {
			got = append(got, "created")
		}
		if r.Canceled {
			got = append(got, "canceled")
		}
		if r.CancelReason != "" {
			got = append(got, r.CancelReason)
		}
		if diff := cmp.Diff(x.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", x.request, diff)
		}
		if r.Header.Revision != 1 || r.Header.ClusterId == 0 {
			t.Errorf("header %v", r.Header)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if r, err := stream.Recv(); err == nil {
		t.Errorf("after the client closed its side: %v", r)
	}
}

func TestWatchFragments(t *testing.T) {
	stream, c := watchStream(t, etcdapi.Options{Backend: newSingle(t), MaxRequestBytes: 10 << 10})
	var ops []clientv3.Op
	for i := range 9 {
		ops = append(ops, clientv3.OpPut(fmt.Sprint(i), strings.Repeat("x", 1000)))
	}
	for range 3 {
		if _, err := c.Txn(within(t)).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Send(create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 1, Fragment: true})); err != nil {
		t.Fatal(err)
	}
	var parts []int
	for events := 0; events < 27; {
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if r.Created {
			continue
		}
		parts, events = append(parts, len(r.Events)), events+len(r.Events)
		if r.Fragment != (events < 27) {
			t.Errorf("after %d events fragment is %t", events, r.Fragment)
		}
	}
	if diff := cmp.Diff([]int{10, 10, 7}, parts); diff != "" {
		t.Errorf("events of the parts (-want +got):\n%s", diff)
	}
}

// A watch ends when the server does, and the server does not wait for it.
func TestWatchEndsWithServer(t *testing.T) {
	b := newSingle(t)
	server := etcdapi.New(etcdapi.Options{ClusterID: "test", MemberID: 1, Backend: b})
	listener := listen(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := pb.NewWatchClient(conn).Watch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(create(&pb.WatchCreateRequest{Key: []byte("a")})); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server.Close(ctx)
	if ctx.Err() != nil {
		t.Error("Close waited for the watch")
	}
	if _, err := stream.Recv(); rpctypes.Error(err) != rpctypes.ErrStopped {
		t.Errorf("the watch ended with %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
}
