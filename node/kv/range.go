package kv

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// readRevision gives the revision that a request for rev reads.
func (v *view) readRevision(rev int64) (int64, error) {
	switch {
	case rev > v.rev:
		return 0, ErrFutureRevision
	case rev <= 0:
		rev = v.rev
	}
	if rev < v.compact {
		return 0, ErrCompacted
	}
	return rev, nil
}

// rangeOf answers a RangeRequest. The header of the answer holds the view's
// revision and nothing else.
func (v *view) rangeOf(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev, err := v.readRevision(r.Revision)
	if err != nil {
		return nil, err
	}
	if len(r.RangeEnd) == 0 && !r.CountOnly && !filtered(r) {
		return v.point(r, rev)
	}
	c := collector{view: v, rev: rev, request: r}
	if r.Limit > 0 && r.Limit < math.MaxInt64 && (ordered(r) || r.SortOrder == pb.RangeRequest_NONE) && !filtered(r) {
		// As etcd does, also where a target is given without an order: then the first
		// keys are taken before they are sorted. One more tells whether there are more.
		c.limit = r.Limit + 1
	}
	c.values = !r.KeysOnly || r.SortTarget == pb.RangeRequest_VALUE
	if err := v.scan(keyRange{r.Key, r.RangeEnd}, c.visit); err != nil {
		return nil, err
	}
	return c.response(), nil
}

// pointResponse is an answer about one key in one allocation.
type pointResponse struct {
	response pb.RangeResponse
	header   pb.ResponseHeader
	kv       mvccpb.KeyValue
	kvs      [1]*mvccpb.KeyValue
}

func (v *view) point(r *pb.RangeRequest, rev int64) (*pb.RangeResponse, error) {
	p := new(pointResponse)
	p.header.Revision = v.rev
	p.response.Header = &p.header
	h, ok, err := v.head(r.Key)
	if err != nil || !ok {
		return &p.response, err
	}
	c, err := v.at(h, rev)
	if err != nil || c.deleted() {
		return &p.response, err
	}
	p.kvs[0] = &p.kv
	p.response.Kvs, p.response.Count = p.kvs[:], 1
	return &p.response, v.fill(&p.kv, r.Key, c, rev, !r.KeysOnly)
}

// ordered reports whether the answer is in the order of the scan.
func ordered(r *pb.RangeRequest) bool {
	return r.SortTarget == pb.RangeRequest_KEY && r.SortOrder != pb.RangeRequest_DESCEND
}

// filtered reports whether the request drops keys by their revisions.
func filtered(r *pb.RangeRequest) bool {
	return r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
}

// collector gathers the answer of a scan.
type collector struct {
	view    *view
	rev     int64
	request *pb.RangeRequest
	limit   int64 // 0: none
	values  bool
	count   int64
	kvs     []*mvccpb.KeyValue
	slab    []mvccpb.KeyValue
}

func (c *collector) visit(key []byte, h head) error {
	if c.request.CountOnly || c.limit > 0 && c.count >= c.limit {
		alive, err := c.view.alive(h, c.rev)
		if alive {
			c.count++
		}
		return err
	}
	at, err := c.view.at(h, c.rev)
	if err != nil || at.deleted() {
		return err
	}
	c.count++
	if !wanted(c.request, at) {
		return nil
	}
	if len(c.slab) == 0 {
		c.slab = make([]mvccpb.KeyValue, min(256, max(4, len(c.kvs))))
	}
	kv := &c.slab[0]
	c.slab = c.slab[1:]
	c.kvs = append(c.kvs, kv)
	return c.view.fill(kv, key, at, c.rev, c.values)
}

func wanted(r *pb.RangeRequest, c change) bool {
	return (r.MaxModRevision == 0 || c.mod.main <= r.MaxModRevision) &&
		(r.MinModRevision == 0 || c.mod.main >= r.MinModRevision) &&
		(r.MaxCreateRevision == 0 || c.create <= r.MaxCreateRevision) &&
		(r.MinCreateRevision == 0 || c.create >= r.MinCreateRevision)
}

func (c *collector) response() *pb.RangeResponse {
	r := c.request
	sortPairs(c.kvs, r)
	kvs, more := c.kvs, false
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, more = kvs[:r.Limit], true
	}
	if r.KeysOnly {
		for _, kv := range kvs {
			kv.Value = nil
		}
	}
	return &pb.RangeResponse{
		Header: &pb.ResponseHeader{Revision: c.view.rev},
		Kvs:    kvs,
		Count:  c.count,
		More:   more,
	}
}

// sortPairs orders the pairs as the request asks. Pairs that compare equal stay in
// the order of their keys.
func sortPairs(kvs []*mvccpb.KeyValue, r *pb.RangeRequest) {
	if ordered(r) {
		return
	}
	compare := comparison(r.SortTarget)
	if r.SortOrder == pb.RangeRequest_DESCEND {
		ascending := compare
		compare = func(a, b *mvccpb.KeyValue) int { return ascending(b, a) }
	}
	slices.SortStableFunc(kvs, compare)
}

func comparison(t pb.RangeRequest_SortTarget) func(a, b *mvccpb.KeyValue) int {
	switch t {
	case pb.RangeRequest_VERSION:
		return func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.Version, b.Version) }
	case pb.RangeRequest_CREATE:
		return func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.CreateRevision, b.CreateRevision) }
	case pb.RangeRequest_MOD:
		return func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.ModRevision, b.ModRevision) }
	case pb.RangeRequest_VALUE:
		return func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Value, b.Value) }
	}
	return func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Key, b.Key) }
}
