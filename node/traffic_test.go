package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// traffic is a client at each endpoint. They write and read a few keys and record what they
// saw, for Porcupine to judge.
type traffic struct {
	endpoints []string
	start     time.Time
	stop      context.CancelFunc
	wg        sync.WaitGroup
	writes    atomic.Int64

	mu      sync.Mutex
	history []porcupine.Operation
	acked   []time.Duration // since start, of writes
}

// access is one call: a write of value, or a read.
type access struct {
	write      bool
	key, value string
}

// startTraffic starts a client at each endpoint.
func startTraffic(t *testing.T, endpoints ...string) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &traffic{endpoints: endpoints, start: time.Now(), stop: stop}
	seed := rand.Uint64()
	t.Logf("traffic with seed %d", seed)
	for i := range endpoints {
		l.wg.Go(func() { l.client(ctx, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	t.Cleanup(func() { stop(); l.wg.Wait() })
	return l
}

// client works until ctx ends, with a new connection after each failure.
func (l *traffic) client(ctx context.Context, id int, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; {
		at := l.endpoint(id)
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{at}, Logger: zap.NewNop()})
		if err != nil {
			return // never of a plain endpoint
		}
		for good := true; good && ctx.Err() == nil && l.endpoint(id) == at; n++ {
			in := access{write: r.IntN(3) > 0, key: fmt.Sprint("k", r.IntN(8)), value: fmt.Sprint(id, "-", n)}
			good = l.call(c, id, in)
		}
		c.Close() //nolint:errcheck // it is used no more
	}
}

func (l *traffic) endpoint(id int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endpoints[id]
}

// move lets the client at one endpoint go on at another.
func (l *traffic) move(from, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endpoints[slices.Index(l.endpoints, from)] = to
}

// call makes one call and records it. A write whose outcome is unknown may take effect at
// any time later, and a read without an answer says nothing.
func (l *traffic) call(c *clientv3.Client, id int, in access) (good bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	op := porcupine.Operation{ClientId: id, Input: in, Call: int64(time.Since(l.start))}
	var err error
	if in.write {
		_, err = c.Put(ctx, in.key, in.value)
	} else {
		op.Output, err = read(ctx, c, in.key)
	}
	now := time.Since(l.start)
	if op.Return = int64(now); err != nil {
		op.Return = int64(time.Hour)
	}
	if err != nil && !in.write {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.history = append(l.history, op)
	if in.write && err == nil {
		l.acked = append(l.acked, now)
		l.writes.Add(1)
	}
	return err == nil
}

func read(ctx context.Context, c *clientv3.Client, key string) (string, error) {
	r, err := c.Get(ctx, key)
	if err != nil || len(r.Kvs) == 0 {
		return "", err
	}
	return string(r.Kvs[0].Value), nil
}

// more waits until n more writes were acknowledged.
func (l *traffic) more(t *testing.T, n int64) {
	t.Helper()
	want := l.writes.Load() + n
	eventually(t, fmt.Sprint(n, " more writes are acknowledged"), func() error {
		if got := l.writes.Load(); got < want {
			return fmt.Errorf("%d are missing", want-got)
		}
		return nil
	})
}

// finish stops the clients, reads every key at each member, and wants the history to be
// linearizable.
func (l *traffic) finish(t *testing.T) {
	t.Helper()
	l.stop()
	l.wg.Wait()
	for i, e := range l.endpoints {
		c := client(t, clientv3.Config{Endpoints: []string{e}})
		for k := range 8 {
			op := porcupine.Operation{ClientId: 100 + i, Input: access{key: fmt.Sprint("k", k)}, Call: int64(time.Since(l.start))}
			v, err := read(patiently(t), c, fmt.Sprint("k", k))
			if err != nil {
				t.Fatalf("reading at the end through %s: %v", e, err)
			}
			op.Output, op.Return = v, int64(time.Since(l.start))
			l.history = append(l.history, op)
		}
	}
	if r := porcupine.CheckOperationsTimeout(registers(), l.history, time.Minute); r != porcupine.Ok {
		t.Errorf("Porcupine finds the history of %d operations %s", len(l.history), r)
	}
	slices.Sort(l.acked)
	longest, last := time.Duration(0), time.Duration(0)
	for _, a := range l.acked {
		longest, last = max(longest, a-last), a
	}
	t.Logf("%d operations, %d writes acknowledged in %v, longest gap between two %v", len(l.history), len(l.acked), last.Round(time.Second), longest.Round(time.Millisecond))
}

// registers is a model of keys that are written and read, each by itself.
func registers() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			of := map[string][]porcupine.Operation{}
			for _, op := range history {
				key := op.Input.(access).key
				of[key] = append(of[key], op)
			}
			var all [][]porcupine.Operation
			for _, ops := range of {
				all = append(all, ops)
			}
			return all
		},
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			if in := input.(access); in.write {
				return true, in.value
			}
			return output.(string) == state.(string), state
		},
	}
}
