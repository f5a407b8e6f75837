package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"go.etcd.io/raft/v3"
)

// etcdReads lets all reads that come while a ReadIndex is under way share the next one,
// as etcd's server does.
type etcdReads struct {
	m    *etcdMember
	wake chan struct{}

	mu        sync.Mutex
	next      chan struct{} // closed when those that joined may read
	round     uint64
	indexes   chan uint64 // of the round under way
	applied   uint64
	appliedTo chan struct{} // closed at the next progress of the state machine
}

func newEtcdReads(m *etcdMember) *etcdReads {
	return &etcdReads{m: m, wake: make(chan struct{}, 1), next: make(chan struct{}), indexes: make(chan uint64, 1), appliedTo: make(chan struct{})}
}

func (r *etcdReads) wait() error {
	r.mu.Lock()
	done := r.next
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	select {
	case <-done:
		return nil
	case <-r.m.stop:
		return errors.New("closed")
	}
}

func (r *etcdReads) run() {
	for {
		select {
		case <-r.wake:
		case <-r.m.stop:
			return
		}
		r.mu.Lock()
		done := r.next
		r.next = make(chan struct{})
		r.round++
		id := binary.LittleEndian.AppendUint64(nil, r.round)
		r.mu.Unlock()
		if r.m.node.ReadIndex(context.Background(), id) != nil {
			return
		}
		select {
		case index := <-r.indexes:
			r.awaitApplied(index)
			close(done)
		case <-r.m.stop:
			return
		}
	}
}

func (r *etcdReads) confirm(states []raft.ReadState) {
	for _, s := range states {
		r.mu.Lock()
		mine := binary.LittleEndian.Uint64(s.RequestCtx) == r.round
		r.mu.Unlock()
		if mine {
			r.indexes <- s.Index
		}
	}
}

func (r *etcdReads) release(applied uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.applied = applied
	close(r.appliedTo)
	r.appliedTo = make(chan struct{})
}

func (r *etcdReads) awaitApplied(index uint64) {
	for {
		r.mu.Lock()
		applied, progress := r.applied, r.appliedTo
		r.mu.Unlock()
		if applied >= index {
			return
		}
		select {
		case <-progress:
		case <-r.m.stop:
			return
		}
	}
}
