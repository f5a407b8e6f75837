package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// transferBound is how long a member that stops waits for another one to take
// leadership over.
const transferBound = 5 * time.Second

// ranWellAfter is how long a member must take part before the faults are resolved
// that a restart helps against.
const ranWellAfter = time.Minute

// Member is one member, from the opening of its directory to its end. It holds the
// admin endpoint through everything that may happen to the rest.
type Member struct {
	cfg     Config
	app     App
	log     logr.Logger
	admin   net.Listener
	founded chan struct{} // receives when the volume became a founding member

	mu      sync.Mutex
	volume  *volume        // nil until it is open
	serving *serving       // nil while Raft does not run
	fault   *fault.Fault   // why it does not, when it cannot
	tls     endpoints      // nil where there is no TLS, or not yet
	peers   *tcp.Transport // of the last life that took part; nil: none did
}

// endpoints are the certificates of each endpoint.
type endpoints struct{ peer, client, admin *certificates }

// serving is what runs while a member takes part.
type serving struct {
	host    *host.Host
	node    *Node
	stopAPI func()
}

// listeners are open only while the member takes part: a client that calls a fenced one
// is refused at once, and tries another.
type listeners struct{ peer, client net.Listener }

// newMember opens the admin port.
func newMember(ctx context.Context, app App, cfg Config, log logr.Logger) (*Member, error) {
	m := &Member{cfg: cfg, app: app, log: log, founded: make(chan struct{}, 1)}
	var err error
	if m.admin, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.ListenAdmin); err != nil {
		return nil, fmt.Errorf("--listen-admin: %w", err)
	}
	return m, nil
}

func listen(ctx context.Context, cfg *Config) (l listeners, err error) {
	var lc net.ListenConfig
	if l.peer, err = lc.Listen(ctx, "tcp", cfg.ListenPeer); err != nil {
		return l, fmt.Errorf("--listen-peer: %w", err)
	}
	if l.client, err = lc.Listen(ctx, "tcp", cfg.ListenClient); err != nil {
		l.peer.Close()
		return l, fmt.Errorf("--listen-client: %w", err)
	}
	return l, nil
}

// close may be called for listeners that somebody has closed already.
func (l listeners) close() {
	l.peer.Close()
	l.client.Close()
}

// run holds the member up until ctx ends. An error means that it could not, and
// that the embedder chose to let the process die.
func (m *Member) run(ctx context.Context) error {
	stopAdmin, err := m.serveAdmin()
	if err != nil {
		var f *fault.Fault
		if errors.As(err, &f) {
			m.set(func() { m.fault = f })
		}
		return err
	}
	defer stopAdmin()
	for {
		err := m.life(ctx)
		if !errors.Is(err, errRestart) {
			return err
		}
		m.log.Info("restarting the member in this process")
	}
}

// errRestart tells that the embedder wants the member set up anew.
var errRestart = errors.New("restart the member")

// decide asks the embedder, once for each fault.
func (m *Member) decide(f *fault.Fault) fault.Decision {
	if d, ok := m.decided(); ok {
		return d
	}
	if m.app.OnUnrecoverable == nil {
		return fault.Hold
	}
	return m.app.OnUnrecoverable(f)
}

// decided gives what the embedder said when the running host asked it.
func (m *Member) decided() (fault.Decision, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.serving == nil {
		return fault.Hold, false
	}
	d := m.serving.host.Decision()
	m.serving = nil
	return d, true
}

// life opens the volume, takes part until ctx ends, and closes all again.
func (m *Member) life(ctx context.Context) error {
	m.set(func() { m.fault, m.serving, m.volume = nil, nil, nil })
	v, err := openVolume(&m.cfg, m.log)
	if v != nil {
		defer v.close()
		m.set(func() { m.volume = v })
	}
	if err == nil {
		err = m.participate(ctx, v)
	}
	return m.settle(ctx, v, err)
}

// participate takes part as soon as the volume may. The error is the fault that
// ended it or kept it from beginning.
func (m *Member) participate(ctx context.Context, v *volume) error {
	if f := v.stillBroken(); f != nil {
		return f
	}
	if !v.mayTakePart() && !m.awaitFounding(ctx, v) {
		return nil
	}
	s, err := m.takePart(ctx, v)
	if err != nil {
		return err
	}
	m.set(func() { m.serving = s })
	m.log.Info("taking part", "member", m.cfg.MemberID, "cluster", m.cfg.ClusterID, "incarnation", v.incarnation())
	return m.serve(ctx, v, s)
}

// settle does what the embedder wants after a fault; without one it holds: the process
// stays alive and fenced, with the volume open, so that people and the operator can
// ask what is wrong. An error that is no fault goes through: the process cannot run here.
func (m *Member) settle(ctx context.Context, v *volume, err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	m.set(func() { m.fault = f })
	m.log.Error(f, "this member takes no part", "fault", f.Kind, "remedy", f.Kind.Remedy())
	v.sink.Report(f)
	switch m.decide(f) {
	case fault.Die:
		return f
	case fault.RestartMember:
		return errRestart
	}
	m.log.Info("holding: alive and fenced, see "+nodeapi.PathStatusz, "fault", f.Kind)
	<-ctx.Done()
	return nil
}

// serve holds a member that takes part until ctx ends or it fails.
func (m *Member) serve(ctx context.Context, v *volume, s *serving) error {
	well := time.NewTimer(ranWellAfter)
	defer well.Stop()
	for {
		select {
		case <-well.C:
			v.sink.RanWell()
		case <-ctx.Done():
			m.stop(s)
			return nil
		case <-s.host.Done():
			f := s.host.Fault()
			m.set(func() { m.fault = f })
			s.stopAPI()
			s.host.Close() //nolint:errcheck // the fault that ended it is told
			return f
		}
	}
}

// awaitFounding waits until the operator lets this volume found; false: ctx ended.
func (m *Member) awaitFounding(ctx context.Context, v *volume) bool {
	m.log.Info("waiting: the directory is empty, and only a grant lets it take part", "path", nodeapi.PathFound, "incarnation", v.incarnation())
	select {
	case <-m.founded:
		return true
	case <-ctx.Done():
		return false
	}
}

// takePart starts Raft with the state machine, and serves clients.
func (m *Member) takePart(ctx context.Context, v *volume) (*serving, error) {
	ports, err := listen(ctx, &m.cfg)
	if err != nil {
		return nil, err
	}
	machine, err := m.app.NewMachine(Env{Dir: m.cfg.DataDir, Logger: m.log.WithName("machine")})
	if err != nil {
		ports.close()
		return nil, fault.New(host.MachineFault(err), time.Now(), err, "opening the state machine in %s", m.cfg.DataDir)
	}
	h, err := m.startHost(v, machine, ports.peer)
	if err != nil {
		ports.close()
		return nil, err
	}
	s := &serving{host: h, node: &Node{cfg: &m.cfg, host: h, status: m.Status}}
	if s.stopAPI, err = m.serveClients(s.node, machine, ports.client); err != nil {
		h.Close() //nolint:errcheck // the first error counts
		ports.close()
		return nil, err
	}
	return s, nil
}

// stop ends a member in order: leadership first, so that the others need no
// election.
func (m *Member) stop(s *serving) {
	if !m.cfg.stopAtOnce && s.host.State().Role == replica.Leader && len(s.host.Membership().Voters()) > 1 {
		ctx, cancel := context.WithTimeout(context.Background(), transferBound)
		defer cancel()
		if err := s.host.Transfer(ctx, 0); err != nil {
			m.log.Info("leadership was not handed over before the stop", "reason", err.Error())
		}
	}
	s.stopAPI()
	if err := s.host.Close(); err != nil {
		m.log.Error(err, "closing the member")
	}
	m.log.Info("stopped")
}

func (m *Member) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}
