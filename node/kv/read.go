package kv

import (
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// view gives a view of the newest published state.
func (s *Store) view() *view {
	// The revision is loaded first: a compaction that is published between the two
	// loads can then only refuse more.
	rev := s.rev.Load()
	return &view{store: s, rev: rev, compact: s.compact.Load()}
}

// Range answers a read from the committed state of this member. The header of the
// answer holds the revision only. A read of the newest revision is never refused.
func (s *Store) Range(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	return retry(s, func(v *view) (*pb.RangeResponse, error) { return v.rangeOf(r) })
}

// Txn answers a transaction for which ReadOnly holds, like Range.
func (s *Store) Txn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	return retry(s, func(v *view) (*pb.TxnResponse, error) { return v.readTxn(r) })
}

// retry runs a read, and again on a newer view when compaction, or a restore, has
// passed the whole view meanwhile.
func retry[T any](s *Store, read func(*view) (T, error)) (T, error) {
	for {
		if err := s.fault.get(); err != nil {
			var zero T
			return zero, err
		}
		v := s.view()
		result, err := read(v)
		if !errors.Is(err, ErrCompacted) || s.compact.Load() <= v.rev {
			return result, err
		}
		s.write.Lock()   // whoever raised it publishes a newer revision before it unlocks
		s.write.Unlock() //nolint:staticcheck // only waits
	}
}
