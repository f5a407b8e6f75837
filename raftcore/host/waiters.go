package host

import (
	"sync"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
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

	// The loop's: what is proposed, and the term in which it was handed to the
	// replica last, 0 while it was not.
	kind    protocol.EntryKind
	payload []byte
	term    protocol.Term
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

// complete delivers the outcome if somebody still waits.
func (w *waiters) complete(id uint64, o outcome) {
	s := w.shard(id)
	s.mu.Lock()
	x := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if x != nil {
		x.done <- o
	}
}

// find gives the waiter of a request, nil when nobody waits.
func (w *waiters) find(id uint64) *waiter {
	s := w.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// abandon removes a waiter. When the outcome was delivered meanwhile it is given. An
// abandoned waiter is not used again: the loop may still know it.
func (w *waiters) abandon(id uint64, x *waiter) (outcome, bool) {
	s := w.shard(id)
	s.mu.Lock()
	_, still := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	if still {
		return outcome{}, false
	}
	return <-x.done, true
}

// release gives a waiter back whose result was taken. One that was let go with an error
// is not used again: the loop may still know it.
func (w *waiters) release(x *waiter) {
	x.payload, x.term = nil, 0
	w.pool.Put(x)
}

// handedOver gives those who wait for a command that was handed to the replica in a
// term that f picks.
func (w *waiters) handedOver(f func(protocol.Term) bool) map[uint64]*waiter {
	out := make(map[uint64]*waiter)
	for i := range w.shards {
		s := &w.shards[i]
		s.mu.Lock()
		for id, x := range s.byID {
			if x.term != 0 && f(x.term) {
				out[id] = x
			}
		}
		s.mu.Unlock()
	}
	return out
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
