package host

import (
	"slices"
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
)

// reads lets all clients that ask for a linearizable read at about the same time
// share one read index.
type reads struct {
	mu        sync.Mutex
	lastID    uint64
	next      *readBatch   // joined by who comes now; not asked for yet
	asked     []*readBatch // the replica knows them
	refused   []*readBatch // to be asked for again
	confirmed []*readBatch // wait until their index is applied
	closed    error
}

type readBatch struct {
	id    uint64
	index protocol.Index
	err   error
	done  chan struct{} // closed when the read may be served, or err is set
}

// join gives the batch to wait for, and whether it is a new one.
func (r *reads) join() (*readBatch, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		b := &readBatch{err: r.closed, done: make(chan struct{})}
		close(b.done)
		return b, false
	}
	fresh := r.next == nil
	if fresh {
		r.lastID++
		r.next = &readBatch{id: r.lastID, done: make(chan struct{})}
	}
	return r.next, fresh
}

// ask gives the ID of the batch that collected until now; 0 when there is none, or while
// an earlier one has no answer: the replica could not begin a round for it sooner, and so
// it goes on collecting.
func (r *reads) ask() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.next
	if b == nil || len(r.asked) > 0 {
		return 0
	}
	r.next, r.asked = nil, append(r.asked, b)
	return b.id
}

// confirm tells the index of a batch. What is applied is asked for under the lock: release
// has either not come to this index yet, or applied gives it.
func (r *reads) confirm(id uint64, index protocol.Index, applied func() protocol.Index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.asked, func(b *readBatch) bool { return b.id == id })
	if i < 0 {
		return
	}
	b := r.asked[i]
	r.asked = slices.Delete(r.asked, i, i+1)
	b.index = index
	if applied() >= index {
		close(b.done)
		return
	}
	r.confirmed = append(r.confirmed, b)
}

// refuse puts a batch aside until retry.
func (r *reads) refuse(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.IndexFunc(r.asked, func(b *readBatch) bool { return b.id == id }); i >= 0 {
		r.refused = append(r.refused, r.asked[i])
		r.asked = slices.Delete(r.asked, i, i+1)
	}
}

// retry gives the IDs of the batches that were refused; they count as asked.
func (r *reads) retry() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []uint64
	for _, b := range r.refused {
		ids = append(ids, b.id)
	}
	r.asked, r.refused = append(r.asked, r.refused...), nil
	return ids
}

// release lets the reads go that wait for an index up to applied.
func (r *reads) release(applied protocol.Index) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed = slices.DeleteFunc(r.confirmed, func(b *readBatch) bool {
		if b.index > applied {
			return false
		}
		close(b.done)
		return true
	})
}

// close ends all reads, and those that come later, with the error.
func (r *reads) close(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return
	}
	r.closed = err
	all := slices.Concat(r.asked, r.refused, r.confirmed)
	if r.next != nil {
		all = append(all, r.next)
	}
	for _, b := range all {
		b.err = err
		close(b.done)
	}
	r.next, r.asked, r.refused, r.confirmed = nil, nil, nil, nil
}
