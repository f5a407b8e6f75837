package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/quorate/quorate/node/nodeapi"
)

// patience is how long anything that must happen may take on a busy machine.
const patience = 60 * time.Second

// binary is the node's program. TestMain builds it.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m.Run)) }

func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "quorate-node-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the temporary folder, for the system to clean
	binary = filepath.Join(dir, "quorate-node")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the node's binary: %v\n%s", err, out)
		return 1
	}
	return run()
}

// transcript is what a process has printed, on both of its outputs.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// String gives all so far.
func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a child of the test. It ends with the test at the latest.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  transcript
	done chan struct{} // closed when it has ended
}

// start runs a program. Neither our variables nor etcdctl's are handed down from the
// test's own environment; env is added.
func start(t *testing.T, name, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Env = append(environment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() //nolint:errcheck // its state tells
	}()
	if d, ok := t.Deadline(); ok { // then the test's process ends without cleaning up
		alarm := time.AfterFunc(time.Until(d)-time.Second, func() { p.cmd.Process.Kill() }) //nolint:errcheck // it may have ended
		t.Cleanup(func() { alarm.Stop() })
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-p.done
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, tail(p.out.String()))
		}
	})
	return p
}

func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, nodeapi.EnvPrefix) && !strings.HasPrefix(v, "ETCDCTL_") {
			env = append(env, v)
		}
	}
	return env
}

func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// node runs the node's binary.
func node(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return start(t, name, binary, nil, args...)
}

// says waits until the process has printed the text.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, p.name+" prints "+strconv.Quote(text), func() error {
		if strings.Contains(p.out.String(), text) {
			return nil
		}
		select {
		case <-p.done:
			if strings.Contains(p.out.String(), text) {
				return nil
			}
			p.t.Fatalf("%s ended with code %d and did not print %q", p.name, p.cmd.ProcessState.ExitCode(), text)
		default:
		}
		return errors.New("not yet")
	})
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

// exits waits until the process has ended, which must be with the code, and gives what
// it has printed.
func (p *process) exits(code int) string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended after %v", p.name, patience)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%s ended with code %d, want %d:\n%s", p.name, got, code, tail(p.out.String()))
	}
	return p.out.String()
}

// stop ends it by the signal, as it should.
func (p *process) stop(s os.Signal) string {
	p.t.Helper()
	p.signal(s)
	return p.exits(0)
}

// eventually polls until f gives nil; what it waits for happens in other processes.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %v it is not so that %s: %v", patience, what, err)
		case <-tick.C:
		}
	}
}

// given are the blocks of a hundred ports that freeBase has given out.
var given sync.Map

// freeBase gives a port from which on the ports of n members are free as the command dev
// uses them, to one test only. They are below those that the kernel gives to outgoing
// connections.
func freeBase(t *testing.T, n int) int {
	t.Helper()
	for range 1000 {
		base := 10_000 + 100*rand.IntN(200)
		if _, taken := given.LoadOrStore(base, true); !taken && portsFree(base, n) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func portsFree(base, n int) bool {
	for i := range n {
		for j := range 3 {
			l, err := net.Listen("tcp", address(base, i+1, j))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}

// The ports of a member, counted from its first one.
const (
	clientPort = iota
	peerPort
	adminPort
)

// address gives the one of a port of a member, as the command dev lays them out.
func address(base, member, port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(base+10*(member-1)+port))
}

// members lists the first n members as --initial-members wants them.
func members(base, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%d=%s", i+1, address(base, i+1, peerPort)))
	}
	return strings.Join(all, ",")
}

// serveArgs are those of one of n members of the cluster "c".
func serveArgs(base, member, n int, dir string, more ...string) []string {
	return append([]string{
		"serve", "--name", fmt.Sprintf("m-%d", member), "--member-id", strconv.Itoa(member), "--cluster-id", "c",
		"--data-dir", filepath.Join(dir, fmt.Sprintf("m-%d", member)), "--initial-members", members(base, n),
		"--listen-client", address(base, member, clientPort), "--advertise-client", address(base, member, clientPort),
		"--listen-peer", address(base, member, peerPort), "--listen-admin", address(base, member, adminPort),
	}, more...)
}

// get fetches from an admin endpoint. h has a certificate where one is needed.
func get(h *http.Client, url string) (code int, body string, err error) {
	r, err := h.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// status gives what a member says about itself.
func status(h *http.Client, endpoint string) (s nodeapi.Status, err error) {
	code, body, err := get(h, endpoint+nodeapi.PathStatusz)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("code %d: %s", code, body)
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &s)
	}
	return s, err
}

// ready waits until the member can serve.
func ready(t *testing.T, h *http.Client, endpoint string) {
	t.Helper()
	eventually(t, endpoint+" is ready", func() error {
		code, body, err := get(h, endpoint+nodeapi.PathReadyz)
		if err == nil && code != http.StatusOK {
			err = errors.New(body)
		}
		return err
	})
}

// plainHTTP is a client of admin endpoints without TLS.
func plainHTTP(t *testing.T) *http.Client {
	t.Helper()
	h := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	return h
}

// client makes an etcd client, which ends with the test.
func client(t *testing.T, c clientv3.Config) *clientv3.Client {
	t.Helper()
	c.Logger = zap.NewNop()
	x, err := clientv3.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// patiently gives a context that ends with patience.
func patiently(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
