//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/quorate/quorate/api/v1alpha1"
)

// load is clients that read, write and compare-and-swap through all members, whichever
// there are, and record what they saw.
type load struct {
	*history
	cluster *v1alpha1.RaftCluster
	tag     string // in each key: those of an earlier load are others
	members *roster
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

const (
	loadClients = 8
	loadRest    = 15 * time.Millisecond // between two calls of a client
	loadKeys    = 8                     // at a time
	loadStay    = 50                    // calls of a client before it connects anew by TLS
	// After this a client takes fresh keys: histories of single keys stay short enough for
	// Porcupine, and the last acknowledged value of many keys is looked at in the end.
	loadEpoch = 2 * time.Second

	registers = "k"
	ledger    = "ledger"
)

// startLoad starts the clients. They stop with finish, or with the test.
func startLoad(t *testing.T, c *v1alpha1.RaftCluster) *load {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	l := &load{cluster: c.DeepCopy(), tag: strconv.FormatUint(seed, 36), members: follow(t, c), history: newHistory()}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	t.Cleanup(func() { cancel(); l.wg.Wait() })
	t.Logf("load: %d clients, seed %d", loadClients, seed)
	for i := range loadClients {
		w := &worker{load: l, id: i, rand: rand.New(rand.NewPCG(seed, uint64(i))), seen: map[string]string{}}
		l.wg.Go(func() { w.run(ctx) })
	}
	return l
}

// worker is one client. It does one call after the other.
type worker struct {
	*load
	id   int
	rand *rand.Rand
	seen map[string]string // the last value of each key that it knows of

	at *seat
	cl *clientv3.Client // nil: not connected
}

func (w *worker) run(ctx context.Context) {
	defer w.leave()
	for n := 0; ctx.Err() == nil; n++ {
		if !w.connect() {
			pause(ctx)
			continue
		}
		if !w.call(n) {
			w.leave()
		}
		select {
		case <-ctx.Done():
		case <-time.After(loadRest):
		}
	}
}

// connect sees to a connection to the seat that the client has now.
func (w *worker) connect() bool {
	if s := w.members.choose(w.at); s != w.at {
		w.leave()
		w.at = s
	}
	if w.cl != nil || w.at == nil {
		return w.cl != nil
	}
	if e := w.at.endpoint(); e != "" {
		if secure, err := w.secure(context.Background()); err == nil {
			w.cl, _ = dial(e, secure) //nolint:errcheck // the next call tries again
		}
	}
	return w.cl != nil
}

func (w *worker) leave() {
	if w.cl != nil {
		w.cl.Close()
		w.cl = nil
	}
}

// call makes the nth call and reports whether the connection is kept.
func (w *worker) call(n int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	value := fmt.Sprintf("%d-%d", w.id, n)
	called := w.now()
	what, err := w.oneOf(ctx, value, called)
	if took := w.now() - called; took > slow || err != nil {
		w.note("at %v client %d, %s through %s: %v, %v", called.Round(time.Millisecond), w.id, what, w.at.pod, took.Round(time.Millisecond), err)
	}
	if err != nil {
		w.fail()
	}
	return err == nil && (n%loadStay > 0 || w.plain())
}

// oneOf chooses a call, makes it and records it.
func (w *worker) oneOf(ctx context.Context, value string, called time.Duration) (what string, err error) {
	dice := w.rand.IntN(10)
	if dice == 0 {
		return "a write of the ledger", w.enter(ctx, value)
	}
	in := kvInput{verb: read, key: fmt.Sprintf("%s%d/%s/%d", registers, w.rand.IntN(loadKeys), w.tag, called/loadEpoch)}
	old, known := w.seen[in.key]
	switch {
	case dice < 5:
		in.verb, in.value = write, value
	case dice < 7 && known:
		in.verb, in.value, in.old = cas, value, old
	}
	out, err := do(ctx, w.cl, in)
	w.add(w.id, in, out, called, w.now())
	switch {
	case err != nil:
		delete(w.seen, in.key)
	case in.verb == read:
		w.seen[in.key] = out.value
	case in.verb == write || out.swapped:
		w.seen[in.key] = value
	default:
		delete(w.seen, in.key)
	}
	return in.verb + " of " + in.key, err
}

// enter writes a key that is written once.
func (w *worker) enter(ctx context.Context, value string) error {
	key := fmt.Sprintf("%s/%s/%s", ledger, w.tag, value)
	_, err := w.cl.Put(ctx, key, value)
	if err == nil {
		w.keep(key, value)
	}
	return err
}

// do makes a call through a client.
func do(ctx context.Context, cl *clientv3.Client, in kvInput) (out kvOutput, err error) {
	switch in.verb {
	case read:
		out.value, err = get(ctx, cl, in.key)
	case write:
		_, err = cl.Put(ctx, in.key, in.value)
	case cas:
		is := clientv3.Compare(clientv3.Value(in.key), "=", in.old)
		if in.old == "" {
			is = clientv3.Compare(clientv3.CreateRevision(in.key), "=", 0)
		}
		var r *clientv3.TxnResponse
		if r, err = cl.Txn(ctx).If(is).Then(clientv3.OpPut(in.key, in.value)).Commit(); err == nil {
			out.swapped = r.Succeeded
		}
	}
	out.known = err == nil
	return out, err
}

func get(ctx context.Context, cl *clientv3.Client, key string) (string, error) {
	r, err := cl.Get(ctx, key)
	if err != nil || len(r.Kvs) == 0 {
		return "", err
	}
	return string(r.Kvs[0].Value), nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// plain tells whether clients speak plain text.
func (l *load) plain() bool { return !l.cluster.Spec.TLS.Clients.Enabled }

// secure gives what a client needs at this moment to speak TLS; nil for plain text.
func (l *load) secure(ctx context.Context) (*tls.Config, error) {
	if l.plain() {
		return nil, nil
	}
	s := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: l.cluster.Namespace, Name: l.cluster.Name + "-client-tls"}}
	if err := kube.Get(ctx, client.ObjectKeyFromObject(&s), &s); err != nil {
		return nil, err
	}
	return secureBy(s.Data, "localhost")
}

// awaitWrites waits until n more writes were acknowledged.
func (l *load) awaitWrites(t *testing.T, n int, bound time.Duration) {
	t.Helper()
	want := l.writes() + n
	await(t, bound, func(context.Context) (string, error) {
		if got := l.writes(); got < want {
			return fmt.Sprintf("%d writes are acknowledged, want %d", got, want), nil
		}
		return "", nil
	})
}

// finish stops the clients, reads everything once more through each member that is
// ready, and judges.
func (l *load) finish(t *testing.T) {
	t.Helper()
	end := l.now()
	l.stop()
	l.wg.Wait()
	l.readAll(t)
	l.judge(t)
	t.Logf("%d calls were slow or failed; the first:\n%s", len(l.notes), strings.Join(l.notes[:min(20, len(l.notes))], "\n"))
	longest, at := l.gap(0, end)
	t.Logf("%d operations, %d writes acknowledged; longest gap between acknowledged writes %v, at %v", l.size(), l.writes(), longest.Round(time.Millisecond), at.Round(time.Millisecond))
}

// readAll asks each member that is ready for every key.
func (l *load) readAll(t *testing.T) {
	t.Helper()
	asked := 0
	for _, p := range pods(t, l.cluster) {
		if !podReady(&p) {
			continue
		}
		l.readThrough(t, 1000+asked, p)
		asked++
	}
	if asked == 0 {
		t.Error("no member is ready to be asked for what was written")
	}
}

func (l *load) readThrough(t *testing.T, id int, p corev1.Pod) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	secure, err := l.secure(ctx)
	must(t, err)
	cl, err := dial(forwardTo(t, p).endpoint(), secure)
	must(t, err)
	defer cl.Close()
	called := l.now()
	there := everything(ctx, t, cl, registers)
	for _, key := range l.keys() {
		l.add(id, kvInput{verb: read, key: key}, kvOutput{known: true, value: there[key]}, called, l.now())
	}
	there = everything(ctx, t, cl, ledger)
	lost := 0
	for key, value := range l.ledger {
		if there[key] != value {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d keys that were acknowledged are not there through %s", lost, len(l.ledger), p.Name)
	}
}

// everything reads all keys with the prefix.
func everything(ctx context.Context, t *testing.T, cl *clientv3.Client, prefix string) map[string]string {
	t.Helper()
	r, err := cl.Get(ctx, prefix, clientv3.WithPrefix())
	must(t, err)
	out := map[string]string{}
	for _, kv := range r.Kvs {
		out[string(kv.Key)] = string(kv.Value)
	}
	return out
}

func podReady(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
