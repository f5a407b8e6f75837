package main

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/node/server"
	"github.com/quorate/quorate/raftcore/machine"
)

// closeBound is how long calls that run may still take when a member stops.
const closeBound = 2 * time.Second

// store is the key-value store, with the API that serves it.
type store struct{ *kv.Store }

var _ server.ClientAPI = store{}

func newStore(env server.Env) (machine.StateMachine, error) {
	s, err := kv.Open(kv.Options{
		DataDir: env.Dir,
		Logger:  slog.New(logr.ToSlogHandler(env.Logger)),
		OnFault: func(err error) { env.Logger.Error(err, "the key-value store cannot go on") },
	})
	if err != nil {
		return nil, err
	}
	return store{s}, nil
}

// ServeClients implements server.ClientAPI.
func (s store) ServeClients(n *server.Node, l net.Listener) (stop func(), err error) {
	api := etcdapi.New(etcdapi.Options{
		ClusterID: n.ClusterID(), MemberID: n.MemberID(), Version: server.Version,
		Backend: backend{n, s.Store}, MembersByOperator: n.MembersByOperator(),
	})
	api.SetServing(true)
	done := make(chan struct{})
	go func() { defer close(done); api.Serve(l) }() //nolint:errcheck // it ends by Close
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeBound)
		defer cancel()
		api.Close(ctx)
		<-done
	}, nil
}

// backend is a member as etcdapi wants it.
type backend struct {
	*server.Node
	store *kv.Store
}

var _ etcdapi.Backend = backend{}

// Store implements etcdapi.Backend.
func (b backend) Store() *kv.Store { return b.store }

// Term implements etcdapi.Backend.
func (b backend) Term() uint64 { return uint64(b.State().Term) }

// TransferLeadership implements etcdapi.Backend.
func (b backend) TransferLeadership(ctx context.Context, to uint64) error { return b.Transfer(ctx, to) }

// Members implements etcdapi.Backend.
func (b backend) Members() []etcdapi.Member {
	peer, client := scheme(b.PeerTLS()), scheme(b.ClientTLS())
	var out []etcdapi.Member
	for _, m := range b.Node.Members() {
		out = append(out, etcdapi.Member{
			ID: m.ID, Name: m.Name, Learner: m.Learner,
			PeerURLs: []string{peer + m.PeerAddress}, ClientURLs: []string{client + m.ClientAddress},
		})
	}
	return out
}

func scheme(tls bool) string {
	if tls {
		return "https://"
	}
	return "http://"
}
