package etcdapi

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// Options are what a Server needs. Zero values of those below Backend stand for etcd's
// defaults.
type Options struct {
	ClusterID string // see ClusterID
	MemberID  uint64
	Version   string // of this program, told beside the API's
	Backend   Backend

	MembersByOperator bool // clients may not change the membership

	TLS              *tls.Config   // nil: plain text
	MaxRequestBytes  int           // of one request that changes something; default 1.5 MiB
	RequestTimeout   time.Duration // for a proposal or a read barrier; default 7 s
	ProgressInterval time.Duration // of notifications to idle watches; default 10 min
	StreamWorkers    int           // goroutines that serve calls; default one for each core
}

func (o Options) withDefaults() Options {
	if o.MaxRequestBytes == 0 {
		o.MaxRequestBytes = 1536 << 10
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 7 * time.Second
	}
	if o.ProgressInterval == 0 {
		o.ProgressInterval = 10 * time.Minute
	}
	return o
}

// Server serves the API on any number of listeners.
type Server struct {
	options   Options
	clusterID uint64
	grpc      *grpc.Server
	health    *health.Server
	stopping  chan struct{} // closed by Close: watches end
	stopOnce  sync.Once
}

// requestOverhead is what a request may take on the wire beside its content.
const requestOverhead = 512 << 10

// New makes a Server. It serves nothing before Serve, and health says NOT_SERVING
// before SetServing.
func New(options Options) *Server {
	s := &Server{
		options:   options.withDefaults(),
		clusterID: ClusterID(options.ClusterID),
		health:    health.NewServer(),
		stopping:  make(chan struct{}),
	}
	s.grpc = grpc.NewServer(s.serverOptions()...)
	pb.RegisterKVServer(s.grpc, &kvService{s: s})
	pb.RegisterWatchServer(s.grpc, &watchService{s: s})
	pb.RegisterClusterServer(s.grpc, &clusterService{s: s})
	pb.RegisterMaintenanceServer(s.grpc, &maintenanceService{s: s})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.SetServing(false)
	return s
}

func (s *Server) serverOptions() []grpc.ServerOption {
	o := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(s.options.MaxRequestBytes + requestOverhead),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Hour, Timeout: 20 * time.Second}),
		grpc.UnknownServiceHandler(unknownMethod),
	}
	if s.options.StreamWorkers > 0 {
		o = append(o, grpc.NumStreamWorkers(uint32(s.options.StreamWorkers)))
	}
	if s.options.TLS != nil {
		o = append(o, grpc.Creds(credentials.NewTLS(s.options.TLS)))
	}
	return o
}

// Serve serves on the listener until Close.
func (s *Server) Serve(l net.Listener) error { return s.grpc.Serve(l) }

// SetServing says what the gRPC health service answers.
func (s *Server) SetServing(serving bool) {
	to := healthpb.HealthCheckResponse_NOT_SERVING
	if serving {
		to = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", to)
}

// Close ends watches, lets calls that run end until ctx does, and then cuts the
// rest off. No method of Backend is running when it returns.
func (s *Server) Close(ctx context.Context) {
	s.stopOnce.Do(func() {
		s.health.Shutdown()
		close(s.stopping)
	})
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}

// fill completes the header of an answer; its revision is set already.
func (s *Server) fill(h *pb.ResponseHeader) {
	h.ClusterId = s.clusterID
	h.MemberId = s.options.MemberID
	h.RaftTerm = s.options.Backend.Term()
}

// header makes the header of an answer that is about no particular revision.
func (s *Server) header() *pb.ResponseHeader {
	h := &pb.ResponseHeader{Revision: s.options.Backend.Store().Revision()}
	s.fill(h)
	return h
}
