//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// load is clients that write and read a few keys through all members, and record
// what they saw.
type load struct {
	members []*forward
	start   time.Time
	stop    context.CancelFunc
	wg      sync.WaitGroup
	writes  atomic.Int64

	mu      sync.Mutex
	history []porcupine.Operation
	acked   []time.Duration // when writes were acknowledged
	notes   []string        // calls that were slow or failed
}

// slow is how long a call may take before it is noted.
const slow = 500 * time.Millisecond

func (l *load) note(s string) {
	l.mu.Lock()
	l.notes = append(l.notes, s)
	l.mu.Unlock()
}

func verb(in kvInput) string {
	if in.write {
		return "write"
	}
	return "read"
}

// kvInput is one call: a write of value, or a read.
type kvInput struct {
	write      bool
	key, value string
}

const loadKeys = 8

// startLoad starts the clients.
func startLoad(t *testing.T, members map[string]*forward, clients int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{start: time.Now(), stop: cancel}
	for _, m := range members {
		l.members = append(l.members, m)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("load: %d clients, seed %d", clients, seed)
	for i := range clients {
		l.wg.Go(func() { l.client(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	t.Cleanup(cancel)
	return l
}

// client works until ctx ends. An operation whose outcome is unknown is recorded as
// one that may take effect at any time later.
func (l *load) client(ctx context.Context, id int, r *rand.Rand) {
	var cl *clientv3.Client
	for n := 0; ctx.Err() == nil; n++ {
		if cl == nil {
			if cl = l.connect(id); cl == nil {
				pause(ctx)
				continue
			}
		}
		in := kvInput{write: r.IntN(2) == 0, key: fmt.Sprintf("k%d", r.IntN(loadKeys)), value: fmt.Sprintf("%d-%d", id, n)}
		if !l.call(cl, id, in) {
			cl.Close()
			cl = nil
		}
	}
	if cl != nil {
		cl.Close()
	}
}

// connect gives a client of one member, for each client always the same one: so there
// are some at every member, and a gap in all writes is the cluster's.
func (l *load) connect(id int) *clientv3.Client {
	if e := l.members[id%len(l.members)].endpoint(); e != "" {
		if cl, err := dial(e); err == nil {
			return cl
		}
	}
	return nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// call makes one call and records it; it reports whether the client is still good.
func (l *load) call(cl *clientv3.Client, id int, in kvInput) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	op := porcupine.Operation{ClientId: id, Input: in, Call: int64(time.Since(l.start))}
	var err error
	if in.write {
		_, err = cl.Put(ctx, in.key, in.value)
	} else {
		op.Output, err = get(ctx, cl, in.key)
	}
	now := time.Since(l.start)
	if took := now - time.Duration(op.Call); took > slow || err != nil {
		l.note(fmt.Sprintf("at %v client %d, %s of %s through %s: %v, %v", now.Round(time.Millisecond), id, verb(in), in.key, cl.Endpoints()[0], took.Round(time.Millisecond), err))
	}
	op.Return = int64(now)
	if err != nil {
		if !in.write {
			return false // a read without an answer says nothing
		}
		op.Return = int64(time.Hour)
	} else if in.write {
		l.writes.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, op)
	if in.write && err == nil {
		l.acked = append(l.acked, now)
	}
	return err == nil
}

func get(ctx context.Context, cl *clientv3.Client, key string) (string, error) {
	r, err := cl.Get(ctx, key)
	if err != nil || len(r.Kvs) == 0 {
		return "", err
	}
	return string(r.Kvs[0].Value), nil
}

// awaitWrites waits until n more writes were acknowledged.
func (l *load) awaitWrites(t *testing.T, n int64, bound time.Duration) {
	t.Helper()
	want := l.writes.Load() + n
	await(t, bound, func(context.Context) (string, error) {
		if got := l.writes.Load(); got < want {
			return fmt.Sprintf("%d writes are acknowledged, want %d", got, want), nil
		}
		return "", nil
	})
}

// finish stops the clients, reads every key once more through each member, and lets
// Porcupine judge the history. It tells the longest gap between acknowledged writes.
func (l *load) finish(t *testing.T) {
	t.Helper()
	l.stop()
	l.wg.Wait()
	l.readAll(t)
	model := porcupine.Model{
		Partition: byKey,
		Init:      func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			in := input.(kvInput)
			if in.write {
				return true, in.value
			}
			return output.(string) == state.(string), state
		},
	}
	switch porcupine.CheckOperationsTimeout(model, l.history, time.Minute) {
	case porcupine.Illegal:
		t.Errorf("the history of %d operations is not linearizable", len(l.history))
	case porcupine.Unknown:
		t.Errorf("Porcupine did not finish within a minute over %d operations", len(l.history))
	}
	t.Logf("%d calls were slow or failed; the first:\n%s", len(l.notes), strings.Join(l.notes[:min(20, len(l.notes))], "\n"))
	slices.Sort(l.acked)
	longest, last := time.Duration(0), time.Duration(0)
	for _, a := range l.acked {
		longest, last = max(longest, a-last), a
	}
	t.Logf("%d operations, %d writes acknowledged, linearizable; longest gap between acknowledged writes %v", len(l.history), len(l.acked), longest.Round(time.Millisecond))
}

func (l *load) readAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, m := range l.members {
		m.await(t)
		cl := dialMember(t, m)
		for k := range loadKeys {
			key := fmt.Sprintf("k%d", k)
			op := porcupine.Operation{ClientId: 1000 + i, Input: kvInput{key: key}, Call: int64(time.Since(l.start))}
			v, err := get(ctx, cl, key)
			must(t, err)
			op.Output, op.Return = v, int64(time.Since(l.start))
			l.history = append(l.history, op)
		}
	}
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	m := map[string][]porcupine.Operation{}
	for _, op := range history {
		k := op.Input.(kvInput).key
		m[k] = append(m[k], op)
	}
	var out [][]porcupine.Operation
	for _, ops := range m {
		out = append(out, ops)
	}
	return out
}
