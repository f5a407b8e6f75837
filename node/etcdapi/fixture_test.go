package etcdapi_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/quorate/quorate/node/etcdapi"
	"github.com/quorate/quorate/node/kv"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// single is a Backend of one member without a log: what is proposed is committed at
// once, in batches, by one goroutine. It is what the tests need of a cluster, and not
// more.
type single struct {
	store *kv.Store

	mu       sync.Mutex
	wake     *sync.Cond
	queue    []proposal
	index    protocol.Index
	refusing error // what Propose and ReadBarrier answer instead
	barriers int
	movedTo  uint64
	members  protocol.Membership
	others   map[uint64]string // the client endpoints of other members
	leader   uint64            // 0: this one
	refusals []error           // what ChangeMembership answers before it changes anything
	closed   bool
	done     chan struct{}
}

type proposal struct {
	payload []byte
	result  chan machine.Result
}

func newSingle(t testing.TB) *single {
	store, err := kv.Open(kv.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	b := &single{store: store, done: make(chan struct{}), members: protocol.Membership{Members: []protocol.Member{
		{ID: 1, Name: "one", Address: "localhost:2380", Client: "http://localhost:2379", Suffrage: protocol.Voter},
		{ID: 2, Name: "two", Address: "localhost:2480", Suffrage: protocol.Voter},
		{ID: 3, Name: "three", Address: "localhost:2580", Suffrage: protocol.Learner},
	}}}
	b.wake = sync.NewCond(&b.mu)
	go b.run(t)
	t.Cleanup(func() {
		b.mu.Lock()
		b.closed = true
		b.wake.Signal()
		b.mu.Unlock()
		<-b.done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *single) run(t testing.TB) {
	defer close(b.done)
	for {
		b.mu.Lock()
		for len(b.queue) == 0 && !b.closed {
			b.wake.Wait()
		}
		if b.closed {
			b.mu.Unlock()
			return
		}
		queue := b.queue
		b.queue = nil
		commands := make([]machine.Command, len(queue))
		for i, p := range queue {
			b.index++
			commands[i] = machine.Command{Index: b.index, Term: 1, Payload: p.payload}
		}
		b.mu.Unlock()
		results := make([]machine.Result, len(commands))
		if err := b.store.Apply(commands, results); err != nil {
			t.Error(err)
			return
		}
		for i, p := range queue {
			p.result <- results[i]
		}
	}
}

func (b *single) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusing = err
}

func (b *single) Propose(ctx context.Context, payload []byte) (machine.Result, error) {
	p := proposal{payload: payload, result: make(chan machine.Result, 1)}
	b.mu.Lock()
	if b.refusing != nil {
		defer b.mu.Unlock()
		return machine.Result{}, b.refusing
	}
	b.queue = append(b.queue, p)
	b.wake.Signal()
	b.mu.Unlock()
	select {
	case r := <-p.result:
		return r, nil
	case <-ctx.Done():
		return machine.Result{}, ctx.Err()
	}
}

func (b *single) ReadBarrier(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.barriers++
	return b.refusing
}

func (b *single) Store() *kv.Store { return b.store }

func (b *single) Term() uint64 { return 3 }

func (b *single) Status() nodeapi.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := nodeapi.Status{
		MemberID: 1, Name: "one", Role: nodeapi.RoleLeader, Term: 3, LeaderID: 1,
		CommitIndex: uint64(b.index), AppliedIndex: uint64(b.index), Voters: []uint64{1, 2},
	}
	if b.leader != 0 {
		s.Role, s.LeaderID = nodeapi.RoleFollower, b.leader
	}
	if b.refusing == host.ErrNoLeader {
		s.LeaderID = 0
	}
	return s
}

func (b *single) Members() []etcdapi.Member {
	var all []etcdapi.Member
	for _, x := range b.Membership().Members {
		m := etcdapi.Member{ID: uint64(x.ID), Name: x.Name, PeerURLs: []string{"http://" + x.Address}, Learner: x.Suffrage == protocol.Learner}
		if x.Client != "" {
			m.ClientURLs = []string{x.Client}
		}
		all = append(all, m)
	}
	return all
}

func (b *single) Membership() protocol.Membership {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.members
}

// ChangeMembership changes the membership at once, after it has refused what a test wants. The
// rules are package membership's; joint configurations are left.
func (b *single) ChangeMembership(_ context.Context, c membership.Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.refusals) > 0 {
		err := b.refusals[0]
		b.refusals = b.refusals[1:]
		return err
	}
	next, err := membership.Next(b.members, c)
	if err != nil {
		return &replica.ChangeRefused{Reason: replica.ChangeInvalid, Text: err.Error(), Cause: err}
	}
	b.members = membership.Leave(next)
	return nil
}

// follow makes another member the leader.
func (b *single) follow(leader uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leader = leader
}

func (b *single) DialMember(ctx context.Context, id uint64) (net.Conn, error) {
	b.mu.Lock()
	address, ok := b.others[id]
	b.mu.Unlock()
	if !ok {
		return nil, errors.New("nobody is there")
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (b *single) TransferLeadership(_ context.Context, to uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.movedTo = to
	return nil
}

// serve starts a server on loopback and gives its address.
func serve(t testing.TB, o etcdapi.Options) string {
	t.Helper()
	o.ClusterID, o.MemberID = "test", 1
	server := etcdapi.New(o)
	listener := listen(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	server.SetServing(true)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Close(ctx)
		if err := <-served; err != nil && err != grpc.ErrServerStopped {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// connect gives a client of a new single member.
func connect(t testing.TB) (*clientv3.Client, *single) {
	t.Helper()
	b := newSingle(t)
	return dial(t, serve(t, etcdapi.Options{Backend: b, MaxRequestBytes: 64 << 10, Version: "test"})), b
}

func dial(t testing.TB, address string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{address}, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
