package kv

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Apply implements machine.StateMachine. All commands go into one batch of the
// LSM tree. A result's value is the response message of the command's request, with
// only the revision in its header.
func (s *Store) Apply(commands []machine.Command, results []machine.Result) error {
	if err := s.fault.get(); err != nil {
		return err
	}
	if len(commands) == 0 {
		return nil
	}
	s.write.Lock()
	defer s.write.Unlock()
	batch := s.db.NewBatch()
	defer batch.Close()
	m := s.write.meta
	s.executor.view = &view{store: s, rev: m.rev, compact: m.compact, pending: &s.pending}
	s.pending.reset(batch)
	for i := range commands {
		var err error
		if results[i], err = s.applyOne(&commands[i]); err != nil {
			return fmt.Errorf("kv: applying entry %d: %w", commands[i].Index, err)
		}
	}
	last := commands[len(commands)-1]
	m.applied = protocol.EntryID{Term: last.Term, Index: last.Index}
	m.rev, m.compact = s.executor.view.rev, s.executor.view.compact
	return s.commit(m)
}

// commit makes what is pending and m the state, and publishes it.
func (s *Store) commit(m meta) error {
	if err := s.pending.seal(m); err != nil {
		return fmt.Errorf("kv: preparing a batch: %w", err)
	}
	if err := s.pending.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("kv: committing a batch: %w", err)
	}
	compacted := m.compact > s.write.meta.compact
	s.write.meta, s.write.stale = m, false
	s.publish(m)
	if s.hub.publish(m.rev, s.pending.records) {
		s.pending.records, s.pending.arena = nil, nil // the hub reads them from now on
	}
	if compacted {
		s.sweeper.kick()
	}
	return nil
}

// applyOne applies one command. The error tells that the store cannot go on; a
// refusal is in the result.
func (s *Store) applyOne(c *machine.Command) (machine.Result, error) {
	op, request, err := split(c.Payload)
	if err != nil {
		return machine.Result{}, err
	}
	s.executor.begin(c.Discard)
	switch op {
	case opPut:
		return s.applyPut(request)
	case opDelete:
		r := new(pb.DeleteRangeRequest)
		if err := proto.Unmarshal(request, r); err != nil {
			return machine.Result{}, err
		}
		response, err := s.executor.delete(r)
		return result(response, err)
	case opTxn:
		return s.applyTxn(request)
	case opCompact:
		r := new(pb.CompactionRequest)
		if err := proto.Unmarshal(request, r); err != nil {
			return machine.Result{}, err
		}
		response, err := s.executor.compact(r)
		return result(response, err)
	}
	return machine.Result{}, fmt.Errorf("operation %d of a command is not known: %w", op, machine.ErrNewer)
}

// result tells refusals from faults.
func result[T any](value T, err error) (machine.Result, error) {
	if err == nil {
		return machine.Result{Value: value}, nil
	}
	for _, refusal := range []error{ErrCompacted, ErrFutureRevision, ErrKeyNotFound, ErrLeaseNotFound} {
		if errors.Is(err, refusal) {
			return machine.Result{Err: err}, nil
		}
	}
	return machine.Result{}, err
}

func (s *Store) applyPut(request []byte) (machine.Result, error) {
	var r pb.PutRequest
	if err := decodePut(request, &r); err != nil {
		return machine.Result{}, err
	}
	if err := s.executor.view.checkPut(&r); err != nil {
		return result[any](nil, err)
	}
	response, err := s.executor.put(&r)
	return result(response, err)
}

func (s *Store) applyTxn(request []byte) (machine.Result, error) {
	r := new(pb.TxnRequest)
	if err := proto.Unmarshal(request, r); err != nil {
		return machine.Result{}, err
	}
	v := s.executor.view
	b, err := v.path(r)
	if err == nil {
		err = v.check(r, b)
	}
	if err != nil {
		return result[any](nil, err)
	}
	response, err := s.executor.txn(r, b)
	if err == nil {
		response.Header.Revision = v.rev
	}
	return result(response, err)
}

// compact raises the compacted revision; what is below it is dropped in the
// background.
func (e *executor) compact(r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	switch {
	case r.Revision <= e.view.compact:
		return nil, ErrCompacted
	case r.Revision > e.view.rev:
		return nil, ErrFutureRevision
	}
	e.view.compact = r.Revision
	return &pb.CompactionResponse{Header: e.header()}, nil
}
