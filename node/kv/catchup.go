package kv

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// maxHeld bounds the live deliveries that a joining watcher holds back.
const maxHeld = 256

// offer gives a synced or joining watcher what happened live up to rev. It reports
// false when the stream has no room.
func (s *WatchStream) offer(w *watcher, events []*mvccpb.Event, size int, rev int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.bytes > maxQueueBytes || len(w.held) >= maxHeld {
		return false
	}
	d := Delivery{Watch: w.id, Events: events, Revision: rev}
	if w.state == joining {
		w.held = append(w.held, d)
		return true
	}
	s.push(d, size)
	return true
}

// demote makes a watcher that was taken out of the index read the store from
// revision from on. hub.mu is held.
func (s *WatchStream) demote(w *watcher, from int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.state == joining {
		from = w.from // all that was held back is dropped
	}
	w.state, w.held, w.from = lagging, nil, from
	s.mu.behind[w] = struct{}{}
	s.signal()
}

func (s *WatchStream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// report answers a request for progress, in order with the hub's deliveries.
func (s *WatchStream) report(watch, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return
	}
	if watch != allWatches {
		if w := s.mu.watches[watch]; w != nil && w.state == synced {
			s.push(Delivery{Watch: watch, Revision: rev}, 0)
		}
		return
	}
	if len(s.mu.behind) > 0 {
		s.mu.progress = true
		return
	}
	s.push(Delivery{Watch: allWatches, Revision: rev}, 0)
}

// nearRevisions is how far behind a watcher may be to join the live ones: what it
// misses is then read while its live deliveries are held back.
const nearRevisions = 1024

// reader is a lagging watcher that takes part in one pass over the store.
type reader struct {
	w      *watcher
	from   int64
	events []*mvccpb.Event
	size   int
}

// catchUp reads a part of what the lagging watchers have missed into the queue. A
// watcher that is near enough goes over to live deliveries, without gap or double:
// live ones are held back from the revision on where its reading ends.
func (s *WatchStream) catchUp() error {
	near, far, now := s.choose()
	if len(near) > 0 {
		if _, err := s.read(near, now, 0); err != nil {
			return err
		}
		s.finish(near, now)
	}
	if len(far) > 0 {
		upTo, err := s.read(far, now, maxReadEvents)
		if err != nil {
			return err
		}
		s.finish(far, upTo)
	}
	s.resumeProgress()
	return nil
}

// choose parts the lagging watchers. The near ones are joining afterwards.
func (s *WatchStream) choose() (near, far []*reader, now int64) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	now = s.hub.count(0)
	for w := range s.mu.behind {
		r := &reader{w: w, from: w.from}
		if now-w.from > nearRevisions {
			far = append(far, r)
			continue
		}
		near = append(near, r)
		w.state, w.from = joining, max(w.from, now+1)
		s.hub.mu.index.add(w)
	}
	return near, far, now
}

// maxReadEvents bounds what one pass delivers to all far watchers.
const maxReadEvents = 4096

// read passes over the records up to revision to, for the readers. With a limit it
// stops after about that many events, and gives the revision up to which it came.
func (s *WatchStream) read(readers []*reader, to int64, limit int) (int64, error) {
	from := readers[0].from
	var idx index
	byWatcher := make(map[*watcher]*reader, len(readers))
	for _, r := range readers {
		from = min(from, r.from)
		idx.add(r.w)
		byWatcher[r.w] = r
	}
	if from > to {
		return to, nil
	}
	it, err := s.hub.store.records(from, to)
	if err != nil {
		return 0, fmt.Errorf("kv: reading the history from revision %d: %w", from, err)
	}
	upTo, err := s.readAll(it, &idx, byWatcher, to, limit)
	if err = errors.Join(err, it.Close()); err != nil {
		return 0, fmt.Errorf("kv: reading the history from revision %d: %w", from, err)
	}
	return upTo, nil
}

func (s *WatchStream) readAll(it *pebble.Iterator, idx *index, readers map[*watcher]*reader, to int64, limit int) (int64, error) {
	events, last := 0, int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		rec, err := recordAt(it)
		if err != nil {
			return 0, err
		}
		if limit > 0 && events >= limit && rec.mod.main != last {
			return last, nil
		}
		last = rec.mod.main
		var e *event
		idx.visit(rec.key, func(w *watcher) {
			r := readers[w]
			if rec.mod.main < r.from || !w.wants(rec) {
				return
			}
			if e == nil {
				e = &event{record: rec.clone()}
			}
			r.events = append(r.events, e.message(s.hub.store, w.prevKV))
			r.size += e.size()
			events++
		})
	}
	return to, it.Error()
}

// clone gives a record that does not alias the iterator.
func (r record) clone() record {
	b := append(append(make([]byte, 0, len(r.key)+len(r.value)), r.key...), r.value...)
	n := len(r.key)
	r.key, r.value = b[:n:n], b[n:]
	return r
}

// finish queues what the readers found up to revision upTo. One that wanted what was
// compacted meanwhile is canceled instead.
func (s *WatchStream) finish(readers []*reader, upTo int64) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	compacted := s.hub.store.compact.Load()
	for _, r := range readers {
		w := r.w
		switch {
		case w.state == canceled:
			continue
		case r.from < compacted:
			s.drop(w)
			s.push(Delivery{Watch: w.id, Canceled: true, Revision: s.hub.store.Revision(), Compacted: compacted}, 0)
			continue
		case len(r.events) > 0:
			s.push(Delivery{Watch: w.id, Events: r.events, Revision: upTo}, r.size)
		}
		if w.state == joining {
			s.joined(w)
		} else {
			w.from = max(w.from, upTo+1)
		}
	}
}

// joined queues what was held back: from now on the watcher is live.
func (s *WatchStream) joined(w *watcher) {
	w.state = synced
	delete(s.mu.behind, w)
	for _, d := range w.held {
		size := 0
		for _, e := range d.Events {
			size += len(e.Kv.Key) + len(e.Kv.Value) + eventOverhead
		}
		s.push(d, size)
	}
	w.held = nil
}

// resumeProgress asks again for a report that had to wait.
func (s *WatchStream) resumeProgress() {
	s.mu.Lock()
	ask := s.mu.progress && len(s.mu.behind) == 0
	if ask {
		s.mu.progress = false
	}
	s.mu.Unlock()
	if ask {
		s.hub.mark(s, allWatches)
	}
}
