package kv

import (
	"bytes"
	"context"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// WatchRequest says what to watch.
type WatchRequest struct {
	ID       int64  // 0: the stream chooses one
	Key, End []byte // as in a RangeRequest
	Start    int64  // first revision to deliver; 0: what comes after now
	PrevKV   bool   // events carry the pair as it was before
	NoPut    bool
	NoDelete bool
}

// Delivery is one message of a stream. Events are in the order in which they
// happened and never split a transaction within one watch.
type Delivery struct {
	Watch     int64 // its watch, or -1: all watches of the stream
	Events    []*mvccpb.Event
	Revision  int64 // every event of the watch up to here was delivered
	Created   bool  // the watch begins
	Canceled  bool  // the watch has ended
	Compacted int64 // not 0: it ended because what it wanted is compacted up to here
}

const allWatches = -1

// watcher is one watch.
type watcher struct {
	keyRange
	id              int64
	stream          *WatchStream
	prevKV          bool
	noPut, noDelete bool

	// guarded by hub.mu; from also by the stream's, it is written under both
	from      int64 // first revision that is not yet in the stream's queue, at most
	part      []*mvccpb.Event
	partBytes int

	// guarded by the stream's mu
	state watcherState
	held  []Delivery // live deliveries while it joins
}

type watcherState uint8

const (
	synced   watcherState = iota // gets deliveries from the hub
	lagging                      // reads the store from revision from on
	joining                      // both: the hub's deliveries are held back
	canceled                     // gets nothing any more
)

func (w *watcher) wants(r record) bool {
	if r.deleted() {
		return !w.noDelete
	}
	return !w.noPut
}

// maxQueueBytes is how much a stream keeps for a client that does not read; then
// its watches read the store when it does again.
const maxQueueBytes = 4 << 20

// WatchStream delivers the events of any number of watches in one queue. Next is
// called by one goroutine; the other methods by any.
type WatchStream struct {
	hub  *hub
	wake chan struct{}

	mu struct {
		sync.Mutex
		closed   bool
		watches  map[int64]*watcher
		nextID   int64
		queue    []queued
		bytes    int // in queue and held
		behind   map[*watcher]struct{}
		progress bool // a report waits until no watch lags
	}
}

type queued struct {
	Delivery
	size int
}

// NewWatchStream makes a stream without watches. It must be closed.
func (s *Store) NewWatchStream() *WatchStream {
	w := &WatchStream{hub: s.hub, wake: make(chan struct{}, 1)}
	w.mu.watches = map[int64]*watcher{}
	w.mu.behind = map[*watcher]struct{}{}
	return w
}

// Watch begins a watch and gives its ID. The first delivery has Created set.
// Errors: ErrEmptyRange, ErrDuplicateWatch, ErrClosed.
func (s *WatchStream) Watch(r WatchRequest) (int64, error) {
	w := &watcher{
		keyRange: keyRange{bytes.Clone(r.Key), bytes.Clone(r.End)},
		stream:   s, prevKV: r.PrevKV, noPut: r.NoPut, noDelete: r.NoDelete,
	}
	if w.empty() {
		return 0, ErrEmptyRange
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return 0, ErrClosed
	}
	var err error
	if w.id, err = s.chooseID(r.ID); err != nil {
		return 0, err
	}
	s.mu.watches[w.id] = w
	now := s.hub.count(1)
	w.from = now + 1
	if r.Start > 0 {
		w.from = r.Start
	}
	s.push(Delivery{Watch: w.id, Created: true, Revision: now}, 0)
	if w.from > now {
		w.state = synced
		s.hub.mu.index.add(w)
		return w.id, nil
	}
	w.state = lagging
	s.mu.behind[w] = struct{}{}
	return w.id, nil
}

func (s *WatchStream) chooseID(id int64) (int64, error) {
	if id != 0 {
		if s.mu.watches[id] != nil {
			return 0, ErrDuplicateWatch
		}
		return id, nil
	}
	for s.mu.watches[s.mu.nextID] != nil {
		s.mu.nextID++
	}
	s.mu.nextID++
	return s.mu.nextID - 1, nil
}

// Cancel ends a watch. Its last delivery has Canceled set. Error: ErrNoWatch.
func (s *WatchStream) Cancel(id int64) error {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.mu.watches[id]
	if w == nil {
		return ErrNoWatch
	}
	s.drop(w)
	s.push(Delivery{Watch: id, Canceled: true, Revision: s.hub.store.Revision()}, 0)
	return nil
}

// drop forgets the watcher. Both locks are held.
func (s *WatchStream) drop(w *watcher) {
	if w.state == synced || w.state == joining {
		s.hub.mu.index.remove(w)
	}
	w.state, w.held = canceled, nil
	delete(s.mu.watches, w.id)
	delete(s.mu.behind, w)
	s.hub.count(-1)
}

// Progress asks for a delivery without events that tells up to which revision every
// watch of the stream has got its events. It comes once no watch lags.
func (s *WatchStream) Progress() { s.hub.mark(s, allWatches) }

// ProgressOf asks the same for one watch. It is not answered while the watch lags.
func (s *WatchStream) ProgressOf(id int64) { s.hub.mark(s, id) }

// Next waits for the next delivery. Errors: ErrClosed, the context's, and those of
// reading the store.
func (s *WatchStream) Next(ctx context.Context) (Delivery, error) {
	for {
		d, state := s.pop()
		switch state {
		case popped:
			return d, nil
		case mustCatchUp:
			if err := s.catchUp(); err != nil {
				return Delivery{}, err
			}
			continue
		case ended:
			return Delivery{}, ErrClosed
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

type popState uint8

const (
	popped popState = iota
	mustWait
	mustCatchUp
	ended
)

func (s *WatchStream) pop() (Delivery, popState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.closed:
		return Delivery{}, ended
	case len(s.mu.queue) > 0:
		q := s.mu.queue[0]
		s.mu.queue[0] = queued{}
		if s.mu.queue = s.mu.queue[1:]; len(s.mu.queue) == 0 {
			s.mu.queue = nil
		}
		s.mu.bytes -= q.size
		return q.Delivery, popped
	case len(s.mu.behind) > 0:
		return Delivery{}, mustCatchUp
	}
	return Delivery{}, mustWait
}

// push appends to the queue. The stream's lock is held.
func (s *WatchStream) push(d Delivery, size int) {
	s.mu.queue = append(s.mu.queue, queued{d, size})
	s.mu.bytes += size
	s.signal()
}

// Close ends all watches and wakes Next.
func (s *WatchStream) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.mu.watches {
		s.drop(w)
	}
	s.mu.closed, s.mu.queue = true, nil
	s.signal()
}
