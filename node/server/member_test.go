package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/machine"
)

// lastPort is what freePorts has looked at last. Processes begin far from each other.
var lastPort atomic.Uint32

func init() { lastPort.Store(uint32(os.Getpid()) * 256) }

// freePorts gives n addresses on loopback that are free, and stay it while a test stops a
// member and starts it again: no other test of this process gets them, and they are none of
// those that the system gives to connections (from 32768 on).
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range 20_000 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+lastPort.Add(1)%20_000)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue // somebody has it
		}
		l.Close()
		if out = append(out, address); len(out) == n {
			return out
		}
	}
	t.Fatalf("fewer than %d ports are free", n)
	return nil
}

// testConfig gives a member of a one-member cluster in a directory of its own.
func testConfig(t *testing.T, id uint64, _ int) Config {
	t.Helper()
	p := freePorts(t, 3)
	c := Config{
		Name: "m-1", DataDir: t.TempDir(), MemberID: id, ClusterID: "c",
		ListenClient: p[0], ListenPeer: p[1], ListenAdmin: p[2], InitialMembers: "1=" + p[1], LogLevel: "info", Membership: nodeapi.MembershipByClients,
		ElectionTimeout: 100 * time.Millisecond, HeartbeatInterval: 10 * time.Millisecond, SnapshotEntries: 100,
	}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// startMember runs a member; stop ends it and waits, and gives what run gave.
func startMember(t *testing.T, app App, cfg Config) (m *Member, stop func() error) {
	t.Helper()
	m, err := newMember(t.Context(), app, cfg, testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { stop() }) //nolint:errcheck // the test has judged it
	return m, stop
}

// await polls a condition; what it waits for comes from other goroutines' real I/O.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-deadline:
			t.Fatalf("after 20 s: %s is not so", what)
		case <-tick.C:
		}
	}
}

func awaitReady(t *testing.T, m *Member) {
	t.Helper()
	await(t, "the member is ready", func() bool { return m.Ready(t.Context()) == nil })
}

func awaitFault(t *testing.T, m *Member, k fault.Kind) nodeapi.Status {
	t.Helper()
	await(t, "fault "+string(k), func() bool { h := m.Status().Health; return h != nil && h.Fault == string(k) })
	return m.Status()
}

func propose(t *testing.T, m *Member) any {
	t.Helper()
	_, s, _ := m.parts()
	r, err := s.node.Propose(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return r.Value
}

// A member keeps what it acknowledged over a stop and a start.
func TestRestart(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	incarnation := m.Status().Incarnation
	for range 3 {
		propose(t, m)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	m, _ = startMember(t, app, cfg)
	awaitReady(t, m)
	if got := propose(t, m); got != uint64(4) {
		t.Errorf("the fourth command counts as %v", got)
	}
	if s := m.Status(); s.Incarnation != incarnation || s.Role != nodeapi.RoleLeader || s.ClusterID != "c" {
		t.Errorf("status is %+v, incarnation was %s", s, incarnation)
	}
}

// A damaged log fences the member: it stays alive, tells the fault, is not ready, and the
// fault is on the volume for the next process. Mended, it is well again.
func TestDamagedLog(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	for range 10 {
		propose(t, m)
	}
	incarnation := m.Status().Incarnation
	stop() //nolint:errcheck // it ends in order
	mend := spoilLog(t, cfg.DataDir)
	m, stop = startMember(t, app, cfg)
	s := awaitFault(t, m, fault.LogCorrupt)
	if s.Role != nodeapi.RoleFenced || s.Health.Remedy != string(fault.RepairFromPeers) || !strings.Contains(s.Health.Message, "log") {
		t.Errorf("status is %+v, health %+v", s, s.Health)
	}
	if s.Incarnation != incarnation || s.AwaitsFounding {
		t.Errorf("a damaged volume looks like another one: %+v, it was %s", s, incarnation)
	}
	if err := m.Ready(t.Context()); err == nil {
		t.Error("a fenced member is ready")
	}
	// A member is fenced first, and then tells the list of faults.
	await(t, "the fault is on the list", func() bool { return len(m.Faults()) > 0 })
	if fs := m.Faults(); len(fs) != 1 || fs[0].Fault != string(fault.LogCorrupt) {
		t.Errorf("faults are %+v", fs)
	}
	stop() //nolint:errcheck // it holds until it is stopped
	mend()
	m, _ = startMember(t, app, cfg)
	awaitReady(t, m)
	if got := propose(t, m); got != uint64(11) {
		t.Errorf("the eleventh command counts as %v", got)
	}
}

// spoilLog flips a byte of an early entry and gives the function that mends it.
func spoilLog(t *testing.T, dir string) (mend func()) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "log", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.Index(string(b), "\xc4\x01x"); i > 0 { // msgpack of the payload "x"
			flip := func() {
				b[i+2] ^= 0xff
				if err := os.WriteFile(s, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			flip()
			return flip
		}
	}
	t.Fatalf("no segment under %s holds the command", dir)
	return nil
}

// A directory of another cluster or member is refused, by name.
func TestDirectoryOfAnother(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	stop() //nolint:errcheck // it ends in order
	own := cfg.ClusterID
	cfg.ClusterID = "another"
	m, stop = startMember(t, app, cfg)
	s := awaitFault(t, m, fault.IdentityMismatch)
	if !strings.Contains(s.Health.Message, `cluster "c"`) || !strings.Contains(s.Health.Message, `cluster "another"`) {
		t.Errorf("the message is %q", s.Health.Message)
	}
	stop() //nolint:errcheck // it holds until it is stopped
	cfg.ClusterID = own
	m, _ = startMember(t, app, cfg)
	awaitReady(t, m)
	if fs := m.Faults(); len(fs) != 0 {
		t.Errorf("the owner of the directory is told of the stranger's fault: %+v", fs)
	}
}

// A meta file whose copies are both spoiled means: no vote, no part.
func TestCorruptMeta(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	stop() //nolint:errcheck // it ends in order
	meta := filepath.Join(cfg.DataDir, "meta")
	b, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x55
	}
	if err := os.WriteFile(meta, b, 0o644); err != nil {
		t.Fatal(err)
	}
	m, _ = startMember(t, app, cfg)
	s := awaitFault(t, m, fault.MetaCorrupt)
	if s.Health.Remedy != string(fault.ReplaceMember) {
		t.Errorf("the remedy is %s", s.Health.Remedy)
	}
	if s.Incarnation != "" || s.AwaitsFounding {
		t.Errorf("an unreadable volume looks like another one: %+v", s)
	}
}

// Two processes cannot share a directory; the second one is told and ends.
func TestDirectoryInUse(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, _ := startMember(t, app, cfg)
	awaitReady(t, m)
	other := testConfig(t, 1, 1)
	other.DataDir = cfg.DataDir
	m2, err := newMember(t.Context(), app, other, testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := m2.run(t.Context()); err == nil || !strings.Contains(err.Error(), "used by another process") {
		t.Errorf("the second member ends with %v", err)
	}
}

// An empty volume with the right to found waits for the grant that names it: nothing else
// lets it take part, and a restart does not change who it is.
func TestFounding(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	cfg.Join = true
	m, stop := startMember(t, app, cfg)
	await(t, "it waits", func() bool { return m.Status().AwaitsFounding })
	draft := m.Status().Incarnation
	stop() //nolint:errcheck // it waits until it is stopped
	m, stop = startMember(t, app, cfg)
	await(t, "it waits again", func() bool { return m.Status().AwaitsFounding })
	if got := m.Status().Incarnation; got != draft {
		t.Errorf("the incarnation is %s after a restart, it was %s", got, draft)
	}
	if err := m.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "grant") {
		t.Errorf("ready gives %v", err)
	}
	right := nodeapi.FoundRequest{ClusterID: "c", MemberID: 1, Incarnation: draft}
	for _, w := range []struct {
		change func(*nodeapi.FoundRequest)
		want   string
	}{
		{func(r *nodeapi.FoundRequest) { r.ClusterID = "d" }, "clusterID"},
		{func(r *nodeapi.FoundRequest) { r.MemberID = 2 }, "memberID"},
		{func(r *nodeapi.FoundRequest) { r.Incarnation = "00000000000000ff" }, "incarnation"},
	} {
		wrong := right
		w.change(&wrong)
		if err := m.Found(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), w.want) {
			t.Errorf("a grant with a wrong %s gives %v", w.want, err)
		}
	}
	if !m.Status().AwaitsFounding {
		t.Fatal("a wrong grant let the member take part")
	}
	for range 2 { // a repeated grant is as good as one
		if err := m.Found(t.Context(), right); err != nil {
			t.Fatal(err)
		}
	}
	awaitReady(t, m)
	if s := m.Status(); s.Incarnation != draft || s.AwaitsFounding {
		t.Errorf("the founded member is %+v", s)
	}
	stop() //nolint:errcheck // it ends in order
	m, _ = startMember(t, app, cfg)
	awaitReady(t, m) // a founded member needs no grant again
}

// The embedder may want the member set up anew in the same process.
func TestRestartInProcess(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	failing := true
	a := App{
		NewMachine: func(e Env) (machine.StateMachine, error) {
			if failing {
				return &failingMachine{}, nil
			}
			return newTally(e)
		},
		OnUnrecoverable: func(f *fault.Fault) fault.Decision {
			if f.Kind != fault.ApplyFailed {
				t.Errorf("asked about %v", f)
			}
			failing = false
			return fault.RestartMember
		},
	}
	m, _ := startMember(t, a, cfg)
	await(t, "the member takes part", func() bool { _, s, _ := m.parts(); return s != nil })
	_, s, _ := m.parts()
	s.node.Propose(t.Context(), []byte("x")) //nolint:errcheck // it ends with the member
	awaitReady(t, m)
	propose(t, m)
}

// failingMachine cannot apply anything.
type failingMachine struct{ tally }

func (*failingMachine) Apply([]machine.Command, []machine.Result) error { return os.ErrInvalid }
