package kv

import (
	"errors"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// hub hands what Apply has changed to the watchers that keep up. One goroutine
// matches changes and watchers, so that Apply only appends to a list. Watchers that
// lag behind read the store, in their streams' goroutines.
//
// Locks: hub.mu, then WatchStream.mu, then hub.inbox.
type hub struct {
	store *Store
	done  sync.WaitGroup

	inbox struct {
		sync.Mutex
		wake      *sync.Cond
		closed    bool
		published int64 // newest revision that was handed in
		watchers  int   // while there are none, changes are not kept
		items     []item
		records   int // in items
	}

	mu struct {
		sync.Mutex
		index     index // watchers that are synced or joining
		delivered int64 // everything up to here is in the streams' queues
	}
}

// item is what the hub's goroutine does next: deliver the changes of one call of Apply, or send
// all watchers to the store, and then tell a stream how far that is.
type item struct {
	rev      int64
	records  []pendingRecord
	overflow bool
	stream   *WatchStream // set: report progress to
	watch    int64        // this watch of it, or allWatches
}

// maxInbox bounds the changes that wait for the hub's goroutine.
const maxInbox = 1 << 16

func newHub(s *Store) *hub {
	h := &hub{store: s}
	h.inbox.wake = sync.NewCond(&h.inbox)
	h.inbox.published = s.rev.Load()
	h.mu.delivered = h.inbox.published
	h.done.Add(1)
	go h.run()
	return h
}

// publish hands in the changes up to rev, which can be read already. It reports
// whether the hub keeps the records.
func (h *hub) publish(rev int64, records []pendingRecord) bool {
	in := &h.inbox
	in.Lock()
	defer in.Unlock()
	in.published = rev
	if in.watchers == 0 || len(records) == 0 {
		return false
	}
	if in.records+len(records) > maxInbox {
		in.items, in.records = append(in.items[:0], item{rev: rev, overflow: true}), 0
		in.wake.Signal()
		return false
	}
	in.items = append(in.items, item{rev: rev, records: records})
	in.records += len(records)
	in.wake.Signal()
	return true
}

// reset tells that the state was replaced by one at rev.
func (h *hub) reset(rev int64) {
	in := &h.inbox
	in.Lock()
	defer in.Unlock()
	in.published = rev
	in.items, in.records = append(in.items[:0], item{rev: rev, overflow: true}), 0
	in.wake.Signal()
}

// mark asks for a report of progress to the stream, in order with the deliveries.
func (h *hub) mark(s *WatchStream, watch int64) {
	in := &h.inbox
	in.Lock()
	defer in.Unlock()
	in.items = append(in.items, item{rev: in.published, stream: s, watch: watch})
	in.wake.Signal()
}

// count changes the number of watchers and gives the newest published revision:
// whatever comes after it goes through the inbox.
func (h *hub) count(delta int) int64 {
	h.inbox.Lock()
	defer h.inbox.Unlock()
	h.inbox.watchers += delta
	return h.inbox.published
}

func (h *hub) close() {
	h.inbox.Lock()
	h.inbox.closed = true
	h.inbox.wake.Broadcast()
	h.inbox.Unlock()
	h.done.Wait()
}

func (h *hub) run() {
	defer h.done.Done()
	for {
		items, ok := h.take()
		if !ok {
			return
		}
		for _, it := range items {
			h.handle(it)
		}
	}
}

func (h *hub) take() ([]item, bool) {
	in := &h.inbox
	in.Lock()
	defer in.Unlock()
	for len(in.items) == 0 && !in.closed {
		in.wake.Wait()
	}
	items := in.items
	in.items, in.records = nil, 0
	return items, !in.closed
}

func (h *hub) handle(it item) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case it.overflow:
		for _, w := range h.mu.index.all() {
			h.mu.index.remove(w)
			w.stream.demote(w, max(w.from, h.mu.delivered+1))
		}
	default:
		h.deliver(it)
	}
	h.mu.delivered = max(h.mu.delivered, it.rev)
	if it.stream != nil {
		it.stream.report(it.watch, it.rev)
	}
}

// deliver gives every synced watcher its part of the item, all or nothing.
func (h *hub) deliver(it item) {
	var touched []*watcher
	for _, r := range it.records {
		rec, err := decodeRecord(r.rev, r.enc)
		if err != nil {
			h.store.fault.set(err) // the bytes were encoded by Apply a moment ago
			return
		}
		e := &event{record: rec}
		h.mu.index.visit(rec.key, func(w *watcher) {
			if rec.mod.main < w.from || !w.wants(rec) {
				return
			}
			if len(w.part) == 0 {
				touched = append(touched, w)
			}
			w.part = append(w.part, e.message(h.store, w.prevKV))
			w.partBytes += e.size()
		})
	}
	for _, w := range touched {
		part, size := w.part, w.partBytes
		w.part, w.partBytes = nil, 0
		if !w.stream.offer(w, part, size, it.rev) {
			h.mu.index.remove(w)
			w.stream.demote(w, part[0].Kv.ModRevision)
		}
	}
}

// event makes the messages for one change at most once for all its watchers.
type event struct {
	record
	plain, withPrev *mvccpb.Event
}

const eventOverhead = 64

func (e *event) size() int { return len(e.key) + len(e.value) + eventOverhead }

func (e *event) message(s *Store, prevKV bool) *mvccpb.Event {
	if e.plain == nil {
		e.plain = &mvccpb.Event{Kv: &mvccpb.KeyValue{
			Key: e.key, Value: e.value, ModRevision: e.mod.main,
			CreateRevision: e.create, Version: e.version, Lease: e.lease,
		}}
		if e.deleted() {
			e.plain.Type = mvccpb.Event_DELETE
			e.plain.Kv.Value = nil
		}
	}
	if !prevKV || e.prev.main == 0 {
		return e.plain
	}
	if e.withPrev == nil {
		e.withPrev = &mvccpb.Event{Type: e.plain.Type, Kv: e.plain.Kv, PrevKv: s.previous(e.record)}
	}
	return e.withPrev
}

// previous gives the pair as it was before the transaction that made rec, nil
// when there was none or it was compacted.
func (s *Store) previous(rec record) *mvccpb.KeyValue {
	rev := rec.mod.main - 1
	if rev < s.compact.Load() {
		return nil
	}
	v := &view{store: s, rev: rev}
	c, err := v.at(head{change: rec.change}, rev)
	if err != nil || c.deleted() {
		s.readFault(err)
		return nil
	}
	kv := new(mvccpb.KeyValue)
	if err := v.fill(kv, rec.key, c, rev, true); err != nil {
		s.readFault(err)
		return nil
	}
	return kv
}

// readFault reports a failed read that nobody else would see.
func (s *Store) readFault(err error) {
	if err != nil && !errors.Is(err, ErrCompacted) {
		s.fault.set(err)
	}
}
