package kv_test

import (
	"bytes"
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/quorate/quorate/node/kv"
)

// twin is the store, slow and obvious: a list of all that ever happened. Every read
// plays it from the start. It says what etcd's API promises, in other words than
// the store's, so that a mistake must be made twice to stay hidden.
type twin struct {
	rev, compact int64
	events       []*mvccpb.Event // PUT with the whole pair, DELETE with key and revision
}

func newTwin() *twin { return &twin{rev: 1, compact: -1} }

// state plays the events up to rev.
func (w *twin) state(rev int64) map[string]*mvccpb.KeyValue {
	pairs := map[string]*mvccpb.KeyValue{}
	for _, e := range w.events {
		switch {
		case e.Kv.ModRevision > rev:
		case e.Type == mvccpb.Event_DELETE:
			delete(pairs, string(e.Kv.Key))
		default:
			pairs[string(e.Kv.Key)] = e.Kv
		}
	}
	return pairs
}

// in gives the pairs of a range, ascending.
func (w *twin) in(rev int64, key, end []byte) []*mvccpb.KeyValue {
	var found []*mvccpb.KeyValue
	for k, p := range w.state(rev) {
		switch {
		case len(end) == 0 && k == string(key),
			string(end) == "\x00" && k >= string(key),
			len(end) > 0 && string(end) != "\x00" && k >= string(key) && k < string(end):
			found = append(found, p)
		}
	}
	sort.Slice(found, func(i, j int) bool { return string(found[i].Key) < string(found[j].Key) })
	return found
}

func header(rev int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: rev} }

// doRange answers as of now, in a transaction that began with revision now or has
// made it.
func (w *twin) doRange(r *pb.RangeRequest, now int64) (*pb.RangeResponse, error) {
	rev := r.Revision
	if rev <= 0 {
		rev = now
	}
	if rev > now {
		return nil, kv.ErrFutureRevision
	}
	if rev < w.compact {
		return nil, kv.ErrCompacted
	}
	all := w.in(rev, r.Key, r.RangeEnd)
	response := &pb.RangeResponse{Header: header(now), Count: int64(len(all))}
	if r.CountOnly {
		return response, nil
	}
	var kept []*mvccpb.KeyValue
	for _, p := range all {
		if r.MinModRevision != 0 && p.ModRevision < r.MinModRevision ||
			r.MaxModRevision != 0 && p.ModRevision > r.MaxModRevision ||
			r.MinCreateRevision != 0 && p.CreateRevision < r.MinCreateRevision ||
			r.MaxCreateRevision != 0 && p.CreateRevision > r.MaxCreateRevision {
			continue
		}
		kept = append(kept, p)
	}
	filtered := r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
	if r.Limit > 0 && r.SortOrder == pb.RangeRequest_NONE && !filtered && int64(len(kept)) > r.Limit+1 {
		kept = kept[:r.Limit+1] // a target without an order: etcd takes first and sorts then
	}
	sort.SliceStable(kept, func(i, j int) bool {
		if r.SortOrder == pb.RangeRequest_DESCEND {
			i, j = j, i
		}
		return before(r.SortTarget, kept[i], kept[j])
	})
	if r.Limit > 0 && int64(len(kept)) > r.Limit {
		kept, response.More = kept[:r.Limit], true
	}
	for _, p := range kept {
		c := pair(p)
		if r.KeysOnly {
			c.Value = nil
		}
		response.Kvs = append(response.Kvs, c)
	}
	return response, nil
}

func before(t pb.RangeRequest_SortTarget, a, b *mvccpb.KeyValue) bool {
	switch t {
	case pb.RangeRequest_VERSION:
		return a.Version < b.Version
	case pb.RangeRequest_CREATE:
		return a.CreateRevision < b.CreateRevision
	case pb.RangeRequest_MOD:
		return a.ModRevision < b.ModRevision
	case pb.RangeRequest_VALUE:
		return bytes.Compare(a.Value, b.Value) < 0
	}
	return bytes.Compare(a.Key, b.Key) < 0
}

func pair(p *mvccpb.KeyValue) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{
		Key: p.Key, Value: p.Value, CreateRevision: p.CreateRevision,
		ModRevision: p.ModRevision, Version: p.Version, Lease: p.Lease,
	}
}

// doPut writes at revision rev.
func (w *twin) doPut(r *pb.PutRequest, rev int64) *pb.PutResponse {
	old := w.state(rev)[string(r.Key)]
	p := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, CreateRevision: rev, ModRevision: rev, Version: 1}
	response := &pb.PutResponse{Header: header(rev)}
	if old != nil {
		p.CreateRevision, p.Version = old.CreateRevision, old.Version+1
		if r.IgnoreValue {
			p.Value = old.Value
		}
		if r.PrevKv {
			response.PrevKv = pair(old)
		}
	}
	w.events = append(w.events, &mvccpb.Event{Kv: p})
	return response
}

// doDelete deletes at revision rev; without anything to delete nothing happens.
func (w *twin) doDelete(r *pb.DeleteRangeRequest, rev int64) *pb.DeleteRangeResponse {
	response := &pb.DeleteRangeResponse{}
	for _, p := range w.in(rev, r.Key, r.RangeEnd) {
		response.Deleted++
		if r.PrevKv {
			response.PrevKvs = append(response.PrevKvs, pair(p))
		}
		w.events = append(w.events, &mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: p.Key, ModRevision: rev}})
	}
	return response
}

// now is the revision that a transaction reads which writes at rev.
func (w *twin) now(rev int64) int64 {
	if n := len(w.events); n > 0 && w.events[n-1].Kv.ModRevision == rev {
		return rev
	}
	return rev - 1
}

func (w *twin) check(r *pb.TxnRequest, taken func(*pb.TxnRequest) bool) error {
	for _, op := range side(r, taken(r)) {
		var err error
		switch o := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			switch rev := o.RequestRange.Revision; {
			case rev > w.rev:
				err = kv.ErrFutureRevision
			case rev != 0 && rev < w.compact:
				err = kv.ErrCompacted
			}
		case *pb.RequestOp_RequestPut:
			err = w.checkPut(o.RequestPut)
		case *pb.RequestOp_RequestTxn:
			err = w.check(o.RequestTxn, taken)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *twin) checkPut(r *pb.PutRequest) error {
	if r.Lease != 0 {
		return kv.ErrLeaseNotFound
	}
	if (r.IgnoreValue || r.IgnoreLease) && w.state(w.rev)[string(r.Key)] == nil {
		return kv.ErrKeyNotFound
	}
	return nil
}

func side(r *pb.TxnRequest, success bool) []*pb.RequestOp {
	if success {
		return r.Success
	}
	return r.Failure
}

// holds decides compares against the state before the transaction.
func (w *twin) holds(r *pb.TxnRequest) bool {
	for _, c := range r.Compare {
		pairs := w.in(w.rev, c.Key, c.RangeEnd)
		if len(pairs) == 0 {
			if c.Target == pb.Compare_VALUE {
				return false
			}
			pairs = []*mvccpb.KeyValue{{}}
		}
		for _, p := range pairs {
			if !twinCompare(c, p) {
				return false
			}
		}
	}
	return true
}

func twinCompare(c *pb.Compare, p *mvccpb.KeyValue) bool {
	var have, want int64
	switch c.Target {
	case pb.Compare_VALUE:
		have = int64(bytes.Compare(p.Value, c.GetValue()))
	case pb.Compare_CREATE:
		have, want = p.CreateRevision, c.GetCreateRevision()
	case pb.Compare_MOD:
		have, want = p.ModRevision, c.GetModRevision()
	case pb.Compare_VERSION:
		have, want = p.Version, c.GetVersion()
	case pb.Compare_LEASE:
		have, want = p.Lease, c.GetLease()
	}
	return map[pb.Compare_CompareResult]bool{
		pb.Compare_EQUAL: have == want, pb.Compare_NOT_EQUAL: have != want,
		pb.Compare_GREATER: have > want, pb.Compare_LESS: have < want,
	}[c.Result]
}

// doTxn runs at revision rev what the compares, which were decided before, select.
func (w *twin) doTxn(r *pb.TxnRequest, rev int64, taken func(*pb.TxnRequest) bool) *pb.TxnResponse {
	response := &pb.TxnResponse{Header: header(0), Succeeded: taken(r)}
	for _, op := range side(r, response.Succeeded) {
		answer := &pb.ResponseOp{}
		switch o := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			got, err := w.doRange(o.RequestRange, w.now(rev))
			if err != nil {
				panic(err) // check has let it pass
			}
			answer.Response = &pb.ResponseOp_ResponseRange{ResponseRange: got}
		case *pb.RequestOp_RequestPut:
			answer.Response = &pb.ResponseOp_ResponsePut{ResponsePut: w.doPut(o.RequestPut, rev)}
		case *pb.RequestOp_RequestDeleteRange:
			d := w.doDelete(o.RequestDeleteRange, rev)
			d.Header = header(w.now(rev))
			answer.Response = &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: d}
		case *pb.RequestOp_RequestTxn:
			answer.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: w.doTxn(o.RequestTxn, rev, taken)}
		}
		response.Responses = append(response.Responses, answer)
	}
	return response
}

// apply applies a request of any kind.
func (w *twin) apply(request any) (any, error) {
	rev := w.rev + 1
	defer func() { w.rev = w.now(rev) }()
	switch r := request.(type) {
	case *pb.PutRequest:
		if err := w.checkPut(r); err != nil {
			return nil, err
		}
		return w.doPut(r, rev), nil
	case *pb.DeleteRangeRequest:
		d := w.doDelete(r, rev)
		d.Header = header(w.now(rev))
		return d, nil
	case *pb.CompactionRequest:
		if r.Revision <= w.compact {
			return nil, kv.ErrCompacted
		}
		if r.Revision > w.rev {
			return nil, kv.ErrFutureRevision
		}
		w.compact = r.Revision
		return &pb.CompactionResponse{Header: header(w.rev)}, nil
	}
	r := request.(*pb.TxnRequest)
	decided := map[*pb.TxnRequest]bool{}
	w.decide(r, decided)
	taken := func(t *pb.TxnRequest) bool { return decided[t] }
	if err := w.check(r, taken); err != nil {
		return nil, err
	}
	response := w.doTxn(r, rev, taken)
	response.Header.Revision = w.now(rev)
	return response, nil
}

func (w *twin) decide(r *pb.TxnRequest, decided map[*pb.TxnRequest]bool) {
	decided[r] = w.holds(r)
	for _, op := range append(append([]*pb.RequestOp(nil), r.Success...), r.Failure...) {
		if t := op.GetRequestTxn(); t != nil {
			w.decide(t, decided)
		}
	}
}
