package kv

import (
	"bytes"
	"cmp"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A transaction has three steps. All compares, those of nested transactions too,
// are decided against the state before it: the path. Then the operations on the
// path are checked, so that a refusal comes before the first change. Then they run,
// each seeing what the ones before it have changed.

// branch is the outcome of one transaction's compares and of those nested on the
// side that was taken, in order.
type branch struct {
	succeeded bool
	nested    []branch
}

func (b branch) operations(r *pb.TxnRequest) []*pb.RequestOp {
	if b.succeeded {
		return r.Success
	}
	return r.Failure
}

func (v *view) path(r *pb.TxnRequest) (branch, error) {
	b := branch{succeeded: true}
	for _, c := range r.Compare {
		holds, err := v.holds(c)
		if err != nil {
			return b, err
		}
		if !holds {
			b.succeeded = false
			break
		}
	}
	for _, op := range b.operations(r) {
		if t := op.GetRequestTxn(); t != nil {
			n, err := v.path(t)
			if err != nil {
				return b, err
			}
			b.nested = append(b.nested, n)
		}
	}
	return b, nil
}

var errStop = errors.New("kv: stop scanning")

// holds decides one compare: it must hold for every key of its range. Where there
// is no key, the comparison is with zeros, and one of values fails.
func (v *view) holds(c *pb.Compare) (bool, error) {
	found, holds := false, true
	err := v.scan(keyRange{c.Key, c.RangeEnd}, func(key []byte, h head) error {
		at, err := v.at(h, v.rev)
		if err != nil || at.deleted() {
			return err
		}
		found = true
		var kv mvccpb.KeyValue
		if err := v.fill(&kv, key, at, v.rev, c.Target == pb.Compare_VALUE); err != nil {
			return err
		}
		if !compareHolds(c, &kv) {
			holds = false
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return false, err
	}
	if !found {
		return c.Target != pb.Compare_VALUE && compareHolds(c, &mvccpb.KeyValue{}), nil
	}
	return holds, nil
}

func compareHolds(c *pb.Compare, kv *mvccpb.KeyValue) bool {
	order := 0
	switch c.Target {
	case pb.Compare_VALUE:
		order = bytes.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		order = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		order = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		order = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		order = cmp.Compare(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	}
	return true
}

// check refuses a transaction one of whose operations on the path cannot run.
func (v *view) check(r *pb.TxnRequest, b branch) error {
	nested := b.nested
	for _, op := range b.operations(r) {
		var err error
		switch o := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			err = v.checkRange(o.RequestRange)
		case *pb.RequestOp_RequestPut:
			err = v.checkPut(o.RequestPut)
		case *pb.RequestOp_RequestTxn:
			err = v.check(o.RequestTxn, nested[0])
			nested = nested[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *view) checkRange(r *pb.RangeRequest) error {
	switch {
	case r.Revision == 0:
		return nil
	case r.Revision > v.rev:
		return ErrFutureRevision
	case r.Revision < v.compact:
		return ErrCompacted
	}
	return nil
}

// checkPut refuses a put that names a lease or relies on a key that is not there.
func (v *view) checkPut(r *pb.PutRequest) error {
	if r.Lease != 0 {
		return ErrLeaseNotFound
	}
	if !r.IgnoreValue && !r.IgnoreLease {
		return nil
	}
	h, ok, err := v.head(r.Key)
	if err == nil && (!ok || h.deleted()) {
		err = ErrKeyNotFound
	}
	return err
}

// readTxn runs a transaction that changes nothing.
func (v *view) readTxn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	b, err := v.path(r)
	if err == nil {
		err = v.check(r, b)
	}
	if err != nil {
		return nil, err
	}
	response, err := (&executor{view: v}).txn(r, b)
	if err == nil {
		response.Header.Revision = v.rev
	}
	return response, err
}

// ReadOnly reports whether the transaction changes nothing, whichever way its
// compares go: then it needs no command.
func ReadOnly(r *pb.TxnRequest) bool {
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			switch o := op.Request.(type) {
			case *pb.RequestOp_RequestRange:
			case *pb.RequestOp_RequestTxn:
				if !ReadOnly(o.RequestTxn) {
					return false
				}
			default:
				return false
			}
		}
	}
	return true
}
