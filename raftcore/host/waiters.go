package host

import (
	"sync"

	"github.com/quorate/quorate/raftcore/machine"
)

// waiters knows which proposal of a client on this member waits for which request
// number. It is sharded, since every proposer and the applier meet here.
type waiters struct {
	shards [64]waiterShard
	pool   sync.Pool
}

type waiterShard struct {
	mu     sync.Mutex
	byID   map[uint64]*waiter
	closed error
}

// waiter receives exactly one outcome.
type waiter struct {
	done chan outcome // capacity 1
}

type outcome struct {
	result machine.Result
	err    error // the proposal was not taken, or its fate is unknown
}

func newWaiters() *waiters {
	w := &waiters{pool: sync.Pool{New: func() any { return &waiter{done: make(chan outcome, 1)} }}}
	for i := range w.shards {
		w.shards[i].byID = make(map[uint64]*waiter)
	}
	return w
}

func (w *waiters) shard(id uint64) *waiterShard { return &w.shards[id%uint64(len(w.shards))] }

// add registers a waiter, or gives the error with which all were ended.
func (w *waiters) add(id uint64) (*waiter, error) {
	s := w.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	x := w.pool.Get().(*waiter)
	s.byID[id] = x
	return x, nil
}

// complete delivers the outcome if somebody still waits, and reports whether.
func (w *waiters) complete(id uint64, o outcome) bool {
	s := w.shard(id)
	s.mu.Lock()
	x := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if x == nil {
		return false
	}
	x.done <- o
	return true
}

// waiting reports whether somebody waits.
func (w *waiters) waiting(id uint64) bool {
	s := w.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id] != nil
}

// abandon removes a waiter. When the outcome was delivered meanwhile it is given.
func (w *waiters) abandon(id uint64, x *waiter) (outcome, bool) {
	s := w.shard(id)
	s.mu.Lock()
	_, still := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if still {
		w.pool.Put(x)
		return outcome{}, false
	}
	return w.result(x), true
}

// result waits for the outcome and gives the waiter back.
func (w *waiters) result(x *waiter) outcome {
	o := <-x.done
	w.pool.Put(x)
	return o
}

// close ends everybody who waits, and whoever comes later, with the error.
func (w *waiters) close(err error) {
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		if s.closed == nil {
			s.closed = err
		}
		for id, x := range s.byID {
			delete(s.byID, id)
			x.done <- outcome{err: err}
		}
		s.mu.Unlock()
	}
}
