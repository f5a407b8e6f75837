package etcdapi

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"github.com/quorate/quorate/node/kv"
)

// noWatch is the watch ID of an answer that is about no watch, or about all.
const noWatch = -1

// watchService implements etcdserverpb.WatchServer.
type watchService struct {
	pb.UnsafeWatchServer
	s *Server
}

// watchCall is one Watch stream: the handler's goroutine sends, a second one
// receives. Whatever it answers goes through the kv stream, which keeps the order,
// except refusals, which are about no watch.
type watchCall struct {
	s      *Server
	stream pb.Watch_WatchServer
	kv     *kv.WatchStream
	send   sync.Mutex // of stream.Send

	mu       sync.Mutex
	options  map[int64]watchOptions
	lastSent map[int64]bool // watches that want notifications: events since the last tick
}

type watchOptions struct{ fragment bool }

// Watch serves any number of watches.
func (w *watchService) Watch(stream pb.Watch_WatchServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	c := &watchCall{
		s: w.s, stream: stream, kv: w.s.options.Backend.Store().NewWatchStream(),
		options: map[int64]watchOptions{}, lastSent: map[int64]bool{},
	}
	defer c.kv.Close()
	go func() { cancel(c.receive()) }()
	stop := context.AfterFunc(ctx, c.kv.Close)
	defer stop()
	go c.notify(ctx, cancel)
	err := c.deliver(ctx)
	switch cause := context.Cause(ctx); {
	case stream.Context().Err() != nil:
		return rpctypes.ErrGRPCWatchCanceled
	case errors.Is(cause, io.EOF):
		return nil // the client has closed its side
	case cause != nil:
		return toStatus(stream.Context(), cause)
	}
	return toStatus(stream.Context(), err)
}

// notify ends the call when the server stops, and reminds idle watches that nothing
// happened.
func (c *watchCall) notify(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(c.s.options.ProgressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.s.stopping:
			cancel(rpctypes.ErrGRPCStopped)
			return
		case <-ticker.C:
		}
		c.mu.Lock()
		for id, sent := range c.lastSent {
			if !sent {
				c.kv.ProgressOf(id)
			}
			c.lastSent[id] = false
		}
		c.mu.Unlock()
	}
}

// receive takes the client's requests until the stream ends.
func (c *watchCall) receive() error {
	for {
		request, err := c.stream.Recv()
		if err != nil {
			return err
		}
		switch r := request.RequestUnion.(type) {
		case *pb.WatchRequest_CreateRequest:
			err = c.create(r.CreateRequest)
		case *pb.WatchRequest_CancelRequest:
			_ = c.kv.Cancel(r.CancelRequest.GetWatchId()) // etcd does not answer for a watch that is not there
		case *pb.WatchRequest_ProgressRequest:
			c.kv.Progress()
		}
		if err != nil {
			return err
		}
	}
}

func (c *watchCall) create(r *pb.WatchCreateRequest) error {
	request := kv.WatchRequest{
		ID: r.GetWatchId(), Key: r.GetKey(), End: r.GetRangeEnd(),
		Start: r.GetStartRevision(), PrevKV: r.GetPrevKv(),
	}
	if len(request.Key) == 0 {
		request.Key = []byte{0} // the smallest key
	}
	if request.Start < 0 {
		return c.refuse(rpctypes.ErrCompacted)
	}
	for _, f := range r.GetFilters() {
		request.NoPut = request.NoPut || f == pb.WatchCreateRequest_NOPUT
		request.NoDelete = request.NoDelete || f == pb.WatchCreateRequest_NODELETE
	}
	c.mu.Lock() // before the first delivery asks for the options
	id, err := c.kv.Watch(request)
	if err == nil {
		c.options[id] = watchOptions{fragment: r.GetFragment()}
		if r.GetProgressNotify() {
			c.lastSent[id] = false
		}
	}
	c.mu.Unlock()
	if err != nil {
		return c.refuse(err)
	}
	return nil
}

// refuse answers that a watch was not created.
func (c *watchCall) refuse(err error) error {
	return c.transmit(&pb.WatchResponse{
		Header: c.s.header(), WatchId: noWatch, Created: true, Canceled: true, CancelReason: err.Error(),
	})
}

func (c *watchCall) transmit(r *pb.WatchResponse) error {
	c.send.Lock()
	defer c.send.Unlock()
	return c.stream.Send(r)
}

// deliver sends what the kv stream delivers until the call ends.
func (c *watchCall) deliver(ctx context.Context) error {
	for {
		d, err := c.kv.Next(ctx)
		if err != nil {
			return err
		}
		o := c.note(d)
		r := &pb.WatchResponse{
			Header: &pb.ResponseHeader{Revision: d.Revision}, WatchId: d.Watch, Events: d.Events,
			Created: d.Created, Canceled: d.Canceled, CompactRevision: d.Compacted,
		}
		c.s.fill(r.Header)
		if o.fragment {
			err = c.fragment(r)
		} else {
			err = c.transmit(r)
		}
		if err != nil {
			return err
		}
	}
}

// note keeps the books about the watch that is delivered to.
func (c *watchCall) note(d kv.Delivery) watchOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.options[d.Watch]
	if d.Canceled {
		delete(c.options, d.Watch)
		delete(c.lastSent, d.Watch)
		return o
	}
	if _, ok := c.lastSent[d.Watch]; ok && len(d.Events) > 0 {
		c.lastSent[d.Watch] = true
	}
	return o
}

// fragment sends an answer in parts that are not larger than a request may be,
// unless one event alone is.
func (c *watchCall) fragment(r *pb.WatchResponse) error {
	limit := c.s.options.MaxRequestBytes
	events := r.Events
	if len(events) < 2 || proto.Size(r) < limit {
		return c.transmit(r)
	}
	for len(events) > 0 {
		n := fitting(events, limit)
		part := &pb.WatchResponse{
			Header: r.Header, WatchId: r.WatchId, Events: events[:n], Fragment: n < len(events),
		}
		if err := c.transmit(part); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// fitting gives how many of the events go into one part, at least one.
func fitting(events []*mvccpb.Event, limit int) int {
	size := 0
	for i, e := range events {
		if size += proto.Size(e) + 8; i > 0 && size > limit {
			return i
		}
	}
	return len(events)
}
