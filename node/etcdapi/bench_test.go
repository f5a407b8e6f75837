package etcdapi_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/quorate/quorate/node/etcdapi"
)

// cpuTime is what the process has used of all processors, the clients included.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCalls is the API without replication: puts and reads over gRPC on loopback
// by 64 clients on 8 connections. "nothing" is a call that the server only answers.
func BenchmarkCalls(b *testing.B) {
	for _, workers := range []int{0, 4} {
		backend := newSingle(b)
		address := serve(b, etcdapi.Options{Backend: backend, StreamWorkers: workers})
		var conns []pb.KVClient
		var lists []pb.ClusterClient
		for range 8 {
			c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = c.Close() })
			conns, lists = append(conns, pb.NewKVClient(c)), append(lists, pb.NewClusterClient(c))
		}
		value := []byte(strings.Repeat("v", 256))
		for _, x := range []struct {
			name string
			call func(ctx context.Context, i int) error
		}{
			{"nothing", func(ctx context.Context, i int) error {
				_, err := lists[i%8].MemberList(ctx, &pb.MemberListRequest{})
				return err
			}},
			{"put", func(ctx context.Context, i int) error {
				_, err := conns[i%8].Put(ctx, &pb.PutRequest{Key: fmt.Appendf(nil, "key%d", i%10000), Value: value})
				return err
			}},
			{"range", func(ctx context.Context, i int) error {
				_, err := conns[i%8].Range(ctx, &pb.RangeRequest{Key: fmt.Appendf(nil, "key%d", i%10000)})
				return err
			}},
		} {
			b.Run(fmt.Sprintf("workers=%d/%s", workers, x.name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(32)
				var next atomic.Int64
				before := cpuTime(b)
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if err := x.call(context.Background(), int(next.Add(1))); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}
