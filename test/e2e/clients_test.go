//go:build e2e

package e2e

import (
	"bytes"
	"context"
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// forward keeps a local port connected to a member's client port. The pod may die and
// come back: the forward follows it, at another local port.
type forward struct {
	namespace, pod string
	stop           context.CancelFunc
	done           chan struct{}

	mu   sync.Mutex
	port uint16 // 0: not connected at the moment
}

// forwardTo connects to the pod and waits for the first connection.
func forwardTo(t *testing.T, pod corev1.Pod) *forward {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &forward{namespace: pod.Namespace, pod: pod.Name, stop: cancel, done: make(chan struct{})}
	go f.run(ctx)
	t.Cleanup(func() { cancel(); <-f.done })
	f.await(t)
	return f
}

// await waits until the pod is connected.
func (f *forward) await(t *testing.T) {
	t.Helper()
	await(t, 30*time.Second, func(context.Context) (string, error) {
		if f.endpoint() == "" {
			return "no port-forward to " + f.pod, nil
		}
		return "", nil
	})
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

// once holds one port-forward until it breaks.
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
		[]string{fmt.Sprintf("0:%d", nodeapi.ClientPort)}, broken.stop, ready, io.Discard, broken)
	if err != nil {
		return
	}
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go f.watch(watched, broken)
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

// watch ends the port-forward when the pod of that name is another one: a tunnel into
// a pod that is gone does not end by itself.
func (f *forward) watch(ctx context.Context, b *breaker) {
	uid := func() types.UID {
		p := corev1.Pod{}
		kube.Get(ctx, types.NamespacedName{Namespace: f.namespace, Name: f.pod}, &p) //nolint:errcheck // then it is another one
		return p.UID
	}
	for first := uid(); ctx.Err() == nil; pause(ctx) {
		if uid() != first {
			b.end()
			return
		}
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

// dial gives an etcd client that knows one endpoint only.
func dial(endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
}

// dialMember gives an etcd client for one member.
func dialMember(t *testing.T, f *forward) *clientv3.Client {
	t.Helper()
	cl, err := dial(f.endpoint())
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
