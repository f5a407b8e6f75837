package etcdapi

import (
	"bytes"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// maxTxnOps is how many operations one transaction may have, those of nested ones
// included, counted by the longest list of each.
const maxTxnOps = 128

func checkRange(r *pb.RangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if _, ok := pb.RangeRequest_SortOrder_name[int32(r.SortOrder)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	if _, ok := pb.RangeRequest_SortTarget_name[int32(r.SortTarget)]; !ok {
		return rpctypes.ErrGRPCInvalidSortOption
	}
	return nil
}

func checkPut(r *pb.PutRequest) error {
	switch {
	case len(r.GetKey()) == 0:
		return rpctypes.ErrGRPCEmptyKey
	case r.IgnoreValue && len(r.Value) != 0:
		return rpctypes.ErrGRPCValueProvided
	case r.IgnoreLease && r.Lease != 0:
		return rpctypes.ErrGRPCLeaseProvided
	}
	return nil
}

func checkDelete(r *pb.DeleteRangeRequest) error {
	if len(r.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	return nil
}

// checkTxn checks a transaction of a client.
func checkTxn(r *pb.TxnRequest) error {
	if err := checkTxnOps(r, maxTxnOps); err != nil {
		return err
	}
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		if _, _, err := checkKeys(ops); err != nil {
			return err
		}
	}
	return nil
}

func checkTxnOps(r *pb.TxnRequest, limit int) error {
	n := max(len(r.GetCompare()), len(r.GetSuccess()), len(r.GetFailure()))
	if n > limit {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, c := range r.GetCompare() {
		if len(c.Key) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if err := checkOp(op, limit-n); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOp(op *pb.RequestOp, limit int) error {
	switch o := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(o.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(o.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		return checkDelete(o.RequestDeleteRange)
	case *pb.RequestOp_RequestTxn:
		return checkTxnOps(o.RequestTxn, limit)
	}
	return rpctypes.ErrGRPCKeyNotFound // what etcd says of an operation without content
}

// checkKeys refuses operations that change a key twice: two puts of it, or a put
// and a deletion that covers it. Both sides of a nested transaction may put the same
// key, because only one of them runs. It gives what the operations put and delete.
func checkKeys(ops []*pb.RequestOp) (puts map[string]bool, deletes spans, err error) {
	for _, op := range ops {
		if d := op.GetRequestDeleteRange(); d != nil {
			deletes.add(spanOf(d.Key, d.RangeEnd))
		}
	}
	puts = map[string]bool{}
	for _, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			if err := checkNested(t, puts, &deletes); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			if puts[string(p.Key)] || deletes.contain(p.Key) {
				return nil, nil, rpctypes.ErrGRPCDuplicateKey
			}
			puts[string(p.Key)] = true
		}
	}
	return puts, deletes, nil
}

// checkNested adds what a nested transaction changes to puts and deletes.
func checkNested(t *pb.TxnRequest, puts map[string]bool, deletes *spans) error {
	thenPuts, thenDeletes, err := checkKeys(t.Success)
	if err != nil {
		return err
	}
	elsePuts, elseDeletes, err := checkKeys(t.Failure)
	if err != nil {
		return err
	}
	for _, side := range []map[string]bool{thenPuts, elsePuts} {
		for key := range side {
			if puts[key] || deletes.contain([]byte(key)) {
				return rpctypes.ErrGRPCDuplicateKey
			}
		}
	}
	for _, side := range []map[string]bool{thenPuts, elsePuts} {
		for key := range side {
			puts[key] = true
		}
	}
	for _, s := range append(thenDeletes, elseDeletes...) {
		deletes.add(s)
	}
	return nil
}

// span is a range of keys: from start up to but not including end.
type span struct {
	start, end []byte
}

// spanOf gives the keys that a deletion covers, as etcd sees it here: for the end
// "\x00", which stands for no end when it runs, none.
func spanOf(key, rangeEnd []byte) span {
	if len(rangeEnd) == 0 {
		return span{start: key, end: append(bytes.Clone(key), 0)}
	}
	return span{start: key, end: rangeEnd}
}

// spans are disjoint and ascending, so that a transaction of many deletions and
// puts is checked in little time.
type spans []span

// from gives the index of the first span that ends after key.
func (s spans) from(key []byte) int {
	i, _ := slices.BinarySearchFunc(s, key, func(x span, key []byte) int {
		if bytes.Compare(x.end, key) > 0 {
			return 1
		}
		return -1
	})
	return i
}

func (s spans) contain(key []byte) bool {
	i := s.from(key)
	return i < len(s) && bytes.Compare(s[i].start, key) <= 0
}

// add adds a span and joins it with those that it overlaps.
func (s *spans) add(x span) {
	if bytes.Compare(x.start, x.end) >= 0 {
		return
	}
	i := s.from(x.start)
	j := i
	for ; j < len(*s) && bytes.Compare((*s)[j].start, x.end) < 0; j++ {
		y := (*s)[j]
		if bytes.Compare(y.start, x.start) < 0 {
			x.start = y.start
		}
		if bytes.Compare(y.end, x.end) > 0 {
			x.end = y.end
		}
	}
	*s = slices.Replace(*s, i, j, x)
}
