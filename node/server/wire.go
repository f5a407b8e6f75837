package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/transport"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// startHost joins storage, transport and state machine to a running member.
func (m *Member) startHost(v *volume, sm machine.StateMachine, peer net.Listener) (*host.Host, error) {
	peerTLS, err := peerTLS(m.cfg.PeerTLS, m.log.WithName("peers"))
	if err != nil {
		sm.Close() //nolint:errcheck // the first error counts
		return nil, err
	}
	store := v.store.Load()
	return host.Start(host.Options{
		ID: store.Identity.MemberID, Incarnation: store.Identity.Incarnation, Membership: store.Identity.Membership,
		Log: store.Log, Votes: store.Votes, Snapshots: store.Snapshots,
		Machine: sm, Serializer: codec.Msgpack{},
		ElectionTimeout: m.cfg.ElectionTimeout, HeartbeatInterval: m.cfg.HeartbeatInterval, SnapshotEntries: m.cfg.SnapshotEntries,
		RecordIncarnations: true,
		Faults:             v.sink, OnUnrecoverable: m.app.OnUnrecoverable, Logger: m.log.WithName("raft"),
		OnStateChange: func(s host.State) {
			m.log.Info("raft state", "role", s.Role.String(), "term", s.Term, "leader", s.Leader)
		},
		Connect: func(h transport.Handler) (transport.Comms, error) {
			return tcp.New(tcp.Options{
				Self: store.Identity.MemberID, ClusterID: m.cfg.ClusterID, Incarnation: store.Identity.Incarnation,
				Serializer: codec.Msgpack{}, Listener: peer, Advertise: m.cfg.AdvertisePeer, TLS: peerTLS, Logger: m.log.WithName("peers"),
			}, h)
		},
	})
}

// peerTLS gives the transport's TLS, nil for none.
func peerTLS(files TLSFiles, log logr.Logger) (*tcp.TLS, error) {
	if !files.enabled() {
		return nil, nil
	}
	c, err := files.load(log)
	if err != nil {
		return nil, fault.New(fault.TLSInvalid, time.Now(), err, "TLS for the other members")
	}
	return &tcp.TLS{
		Server: func() (*tls.Config, error) { return c.server(), nil },
		Client: c.client,
	}, nil
}

// withTLS wraps a listener when files are given.
func withTLS(l net.Listener, files TLSFiles, log logr.Logger, what string) (net.Listener, error) {
	if !files.enabled() {
		return l, nil
	}
	c, err := files.load(log)
	if err != nil {
		return nil, fault.New(fault.TLSInvalid, time.Now(), err, "TLS for %s", what)
	}
	return tls.NewListener(l, c.server()), nil
}

// serveClients gives the state machine its clients, if it serves any.
func (m *Member) serveClients(n *Node, sm machine.StateMachine, l net.Listener) (stop func(), err error) {
	api, ok := sm.(ClientAPI)
	if !ok {
		return func() {}, l.Close()
	}
	if l, err = withTLS(l, m.cfg.ClientTLS, m.log.WithName("clients"), "clients"); err != nil {
		return nil, err
	}
	return api.ServeClients(n, l)
}

// serveAdmin serves the admin endpoint until stop is called.
func (m *Member) serveAdmin() (stop func(), err error) {
	l, err := withTLS(m.admin, m.cfg.AdminTLS, m.log.WithName("admin"), "the admin endpoint")
	if err != nil {
		m.admin.Close()
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(admin.NewCollector(m.Status), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s := &http.Server{
		Handler: admin.Handler(m, metrics), ReadHeaderTimeout: 5 * time.Second,
		ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(m.log.WithName("admin")), slog.LevelInfo),
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }() //nolint:errcheck // it ends by Shutdown
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
		<-done
	}, nil
}
