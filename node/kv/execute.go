package kv

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// executor runs requests one after the other and answers them. quiet leaves the
// answers empty, because nobody waits for them. The view must be one of Apply when
// a request changes something.
type executor struct {
	view  *view
	sub   uint32 // changes of the present transaction
	quiet bool
}

// begin starts a transaction: what it changes gets the next revision.
func (e *executor) begin(quiet bool) { e.sub, e.quiet = 0, quiet }

// next is the revision of the next change of the present transaction.
func (e *executor) next() revision {
	main := e.view.rev
	if e.sub == 0 {
		main++
	}
	return revision{main, e.sub}
}

// write makes a change. From the first one on, the view shows the transaction's
// revision.
func (e *executor) write(r record, depth uint64) error {
	e.view.rev = r.mod.main
	e.sub++
	return e.view.pending.add(r, depth)
}

func (e *executor) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{Revision: e.view.rev}
}

// putResponse is the answer to a put in one allocation.
type putResponse struct {
	response pb.PutResponse
	header   pb.ResponseHeader
}

// put runs a put that checkPut has let pass.
func (e *executor) put(r *pb.PutRequest) (*pb.PutResponse, error) {
	h, _, err := e.view.head(r.Key)
	if err != nil {
		return nil, err
	}
	var old *mvccpb.KeyValue
	if r.PrevKv && !e.quiet || r.IgnoreValue {
		if old, err = e.view.get(r.Key); err != nil {
			return nil, err
		}
	}
	rec := record{prev: h.mod, key: r.Key, value: r.Value}
	rec.mod = e.next()
	rec.version, rec.create, rec.lease = h.version+1, h.create, r.Lease
	if h.deleted() {
		rec.create = rec.mod.main
	}
	if r.IgnoreValue {
		rec.value = old.GetValue()
	}
	if r.IgnoreLease {
		rec.lease = h.lease
	}
	var depth uint64
	depth, rec.anchor = h.next()
	if err := e.write(rec, depth); err != nil || e.quiet {
		return nil, err
	}
	p := new(putResponse)
	p.header.Revision = e.view.rev
	p.response.Header = &p.header
	if r.PrevKv {
		p.response.PrevKv = old
	}
	return &p.response, nil
}

// delete runs a DeleteRangeRequest.
func (e *executor) delete(r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	response := &pb.DeleteRangeResponse{}
	type victim struct {
		key  []byte
		head head
	}
	var victims []victim
	err := e.view.scan(keyRange{r.Key, r.RangeEnd}, func(key []byte, h head) error {
		if h.deleted() {
			return nil
		}
		victims = append(victims, victim{append([]byte(nil), key...), h})
		if !r.PrevKv || e.quiet {
			return nil
		}
		kv := new(mvccpb.KeyValue)
		response.PrevKvs = append(response.PrevKvs, kv)
		return e.view.fill(kv, key, h.change, e.view.rev, true)
	})
	if err != nil {
		return nil, err
	}
	for _, x := range victims {
		rec := record{prev: x.head.mod, key: x.key}
		rec.mod = e.next()
		var depth uint64
		depth, rec.anchor = x.head.next()
		if err := e.write(rec, depth); err != nil {
			return nil, err
		}
	}
	response.Deleted = int64(len(victims))
	response.Header = e.header()
	return response, nil
}

// txn runs the operations on the path b.
func (e *executor) txn(r *pb.TxnRequest, b branch) (*pb.TxnResponse, error) {
	ops := b.operations(r)
	response := &pb.TxnResponse{Succeeded: b.succeeded, Responses: make([]*pb.ResponseOp, len(ops))}
	nested := b.nested
	for i, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			answer, err := e.txn(t, nested[0])
			if err != nil {
				return nil, err
			}
			nested = nested[1:]
			response.Responses[i] = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: answer}}
			continue
		}
		answer, err := e.operation(op)
		if err != nil {
			return nil, err
		}
		response.Responses[i] = answer
	}
	response.Header = &pb.ResponseHeader{} // the caller of the outermost one fills it
	return response, nil
}

// operation runs one operation that is not a transaction.
func (e *executor) operation(op *pb.RequestOp) (*pb.ResponseOp, error) {
	switch o := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		if e.quiet {
			return nil, nil
		}
		r, err := e.view.rangeOf(o.RequestRange)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: r}}, err
	case *pb.RequestOp_RequestPut:
		r, err := e.put(o.RequestPut)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: r}}, err
	case *pb.RequestOp_RequestDeleteRange:
		r, err := e.delete(o.RequestDeleteRange)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: r}}, err
	}
	return &pb.ResponseOp{}, nil
}
