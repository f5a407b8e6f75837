//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// forward keeps a local port connected to a pod's port while the pod lives, at another
// local port after each break.
type forward struct {
	namespace, pod string
	to             int32 // the pod's port
	stop           context.CancelFunc
	done           chan struct{}

	mu   sync.Mutex
	port uint16 // 0: not connected at the moment
}

// startForward begins to connect to the pod. It ends with ctx, or when it is stopped.
func startForward(ctx context.Context, pod corev1.Pod, to int32) *forward {
	ctx, cancel := context.WithCancel(ctx)
	f := &forward{namespace: pod.Namespace, pod: pod.Name, to: to, stop: cancel, done: make(chan struct{})}
	go f.run(ctx)
	return f
}

// forwardTo connects to the pod's client port; see forwardPort.
func forwardTo(t *testing.T, pod corev1.Pod) *forward {
	t.Helper()
	return forwardPort(t, pod, nodeapi.ClientPort)
}

// forwardPort connects to a port of the pod for the rest of the test and waits for the
// first connection.
func forwardPort(t *testing.T, pod corev1.Pod, to int32) *forward {
	t.Helper()
	f := startForward(context.Background(), pod, to)
	t.Cleanup(func() { f.stop(); <-f.done })
	await(t, 30*time.Second, func(context.Context) (string, error) {
		if f.endpoint() == "" {
			return "no port-forward to " + f.pod, nil
		}
		return "", nil
	})
	return f
}

// endpoint gives host:port, or "" while the pod is away.
func (f *forward) endpoint() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.port == 0 {
		return ""
	}
	return fmt.Sprintf("127.0.0.1:%d", f.port)
}

func (f *forward) run(ctx context.Context) {
	defer close(f.done)
	for ctx.Err() == nil {
		f.once(ctx)
		f.set(0)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (f *forward) set(port uint16) {
	f.mu.Lock()
	f.port = port
	f.mu.Unlock()
}

// once holds one port-forward until it breaks. A tunnel into a pod that is gone does not
// end by itself: whoever knows that the pod is gone stops the forward.
func (f *forward) once(ctx context.Context) {
	rt, upgrader, err := spdy.RoundTripperFor(restCfg)
	if err != nil {
		return
	}
	cs, err := kubernetes.NewForConfig(restCfg)
	if err != nil {
		return
	}
	url := cs.CoreV1().RESTClient().Post().Resource("pods").Namespace(f.namespace).Name(f.pod).SubResource("portforward").URL()
	ready := make(chan struct{})
	broken := &breaker{stop: make(chan struct{})}
	pf, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: rt}, http.MethodPost, url),
		[]string{fmt.Sprintf("0:%d", f.to)}, broken.stop, ready, io.Discard, broken)
	if err != nil {
		return
	}
	ended := make(chan struct{})
	go func() { defer close(ended); pf.ForwardPorts() }() //nolint:errcheck // however it ends, it is done again
	select {
	case <-ready:
		if ports, err := pf.GetPorts(); err == nil {
			f.set(ports[0].Local)
		}
	case <-ended:
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-ctx.Done():
		broken.end()
		<-ended
	}
}

// breaker ends a port-forward once, also at its first complaint.
type breaker struct {
	once sync.Once
	stop chan struct{}
}

func (b *breaker) Write(p []byte) (int, error) { b.end(); return len(p), nil }
func (b *breaker) end()                        { b.once.Do(func() { close(b.stop) }) }

// forwardAll connects to every member, by member number.
func forwardAll(t *testing.T, c *v1alpha1.RaftCluster) map[string]*forward {
	t.Helper()
	out := map[string]*forward{}
	for id, p := range pods(t, c) {
		out[id] = forwardTo(t, p)
	}
	return out
}

// dial gives an etcd client that knows one endpoint only. secure: nil for plain text.
func dial(endpoint string, secure *tls.Config) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, TLS: secure, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
}

// dialMember gives an etcd client for one member.
func dialMember(t *testing.T, f *forward) *clientv3.Client {
	t.Helper()
	cl, err := dial(f.endpoint(), nil)
	must(t, err)
	t.Cleanup(func() { cl.Close() })
	return cl
}

func etcdctlCommand(ctx context.Context, endpoint string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "etcdctl", append([]string{"--endpoints", endpoint}, args...)...)
}

// etcdctl runs the real etcdctl against the endpoint and gives what it prints.
func etcdctl(t *testing.T, endpoint, stdin string, args ...string) string {
	t.Helper()
	cmd := etcdctlCommand(t.Context(), endpoint, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("etcdctl %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}
