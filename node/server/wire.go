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
	peerTLS, err := m.peerTLS()
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
			peers, err := tcp.New(tcp.Options{
				Self: store.Identity.MemberID, ClusterID: m.cfg.ClusterID, Incarnation: store.Identity.Incarnation,
				Serializer: codec.Msgpack{}, Listener: peer, Advertise: m.cfg.AdvertisePeer, TLS: peerTLS, Logger: m.log.WithName("peers"),
			}, h)
			if err != nil {
				return nil, err
			}
			m.set(func() { m.peers = peers })
			return peers, nil
		},
	})
}

// refusals counts the connections with peers that were refused.
func (m *Member) refusals() []admin.PeerRefusals {
	m.mu.Lock()
	peers := m.peers
	m.mu.Unlock()
	var stats tcp.Stats
	if peers != nil {
		stats = peers.Stats()
	}
	var all []admin.PeerRefusals
	for _, r := range tcp.Reasons() {
		all = append(all,
			admin.PeerRefusals{Reason: r.String(), By: "self", Count: stats.Refused[r]},
			admin.PeerRefusals{Reason: r.String(), By: "peer", Count: stats.RefusedBy[r]})
	}
	return all
}

// peerTLS gives the transport's TLS, nil for none.
func (m *Member) peerTLS() (*tcp.TLS, error) {
	c, err := m.loadTLS(m.cfg.PeerTLS, "peers", "the other members")
	if c == nil {
		return nil, err
	}
	m.set(func() { m.tls.peer = c })
	return &tcp.TLS{
		Server: func() (*tls.Config, error) { return c.server(tls.RequireAndVerifyClientCert), nil },
		Client: c.client,
		Verify: m.cfg.verifyMember,
	}, nil
}

// loadTLS reads files for the first time; nil when none are given.
func (m *Member) loadTLS(files TLSFiles, logName, what string) (*certificates, error) {
	if !files.enabled() {
		return nil, nil
	}
	c, err := files.load(m.log.WithName(logName))
	if err != nil {
		return nil, fault.New(fault.TLSInvalid, time.Now(), err, "TLS for %s", what)
	}
	return c, nil
}

// serveClients gives the state machine its clients, if it serves any.
func (m *Member) serveClients(n *Node, sm machine.StateMachine, l net.Listener) (stop func(), err error) {
	api, ok := sm.(ClientAPI)
	if !ok {
		return func() {}, l.Close()
	}
	c, err := m.loadTLS(m.cfg.ClientTLS, "clients", "clients")
	if err != nil {
		return nil, err
	}
	if c != nil {
		m.set(func() { m.tls.client = c })
		n.clientTLS = c
		l = tls.NewListener(l, c.server(tls.RequireAndVerifyClientCert))
	}
	return api.ServeClients(n, l)
}

// guard lets nobody but the operator and admins use the admin endpoint, where certificates
// tell who is who.
func (m *Member) guard(h http.Handler) http.Handler {
	if m.cfg.AdminTLS.CA == "" {
		return h
	}
	return admin.Guard(h, m.cfg.tlsIdentity())
}

// serveAdmin serves the admin endpoint until stop is called.
func (m *Member) serveAdmin() (stop func(), err error) {
	c, err := m.loadTLS(m.cfg.AdminTLS, "admin", "the admin endpoint")
	if err != nil {
		m.admin.Close()
		return nil, err
	}
	l := m.admin
	if c != nil {
		m.set(func() { m.tls.admin = c })
		l = tls.NewListener(l, c.server(tls.VerifyClientCertIfGiven))
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(admin.NewCollector(m.Status), admin.NewPeerCollector(m.refusals),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s := &http.Server{
		Handler: m.guard(admin.Handler(m, metrics)), ReadHeaderTimeout: 5 * time.Second,
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
