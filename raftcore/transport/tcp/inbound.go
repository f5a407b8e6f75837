package tcp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// maxHandshakes bounds the incoming connections whose other side is not known yet.
const maxHandshakes = 64

// inbound is a connection of a member that was welcomed.
type inbound struct {
	t           *Transport
	conn        net.Conn
	member      protocol.MemberID
	address     string               // where the member says that it is reached, or empty
	incarnation protocol.Incarnation // of the member's volume by its hello, if it tells it nowhere else
	done        chan struct{}        // closed after the last call of the handler
}

// accept takes connections until the listener is closed.
func (t *Transport) accept() {
	handshakes := make(chan struct{}, maxHandshakes)
	for {
		conn, err := t.listener.Accept()
		switch {
		case t.ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			t.opts.Logger.Error(err, "cannot accept a connection of a peer")
			t.rest()
		default:
			t.take(conn, handshakes)
		}
	}
}

// rest waits a little, so that a lack of file descriptors does not make a busy loop.
func (t *Transport) rest() {
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

func (t *Transport) take(conn net.Conn, handshakes chan struct{}) {
	select {
	case handshakes <- struct{}{}:
	default:
		conn.Close()
		return
	}
	t.wg.Go(func() {
		defer conn.Close()
		if !t.track(conn) {
			return
		}
		defer t.forget(conn)
		in, err := t.receive(conn)
		<-handshakes
		if err != nil {
			t.noteRejected(conn, err)
			return
		}
		in.run()
	})
}

// track remembers an open connection for Close; it gives false after Close.
func (t *Transport) track(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return false
	}
	t.mu.calls[c] = struct{}{}
	return true
}

func (t *Transport) forget(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.calls, c)
}

// receive is the handshake of an incoming connection.
func (t *Transport) receive(raw net.Conn) (*inbound, error) {
	tune(raw, t.opts.DeadAfter)
	if err := raw.SetDeadline(time.Now().Add(t.opts.HandshakeTimeout)); err != nil {
		return nil, err
	}
	conn := raw
	if t.opts.TLS != nil {
		c, err := serverTLS(t.ctx, t.opts.TLS, raw)
		if err != nil {
			return nil, err
		}
		conn = c
	}
	h, err := t.opts.welcome(conn, t.addressOf)
	if err != nil {
		return nil, err
	}
	t.opts.Logger.V(1).Info("a peer connected", "member", h.from, "incarnation", h.incarnation, "from", raw.RemoteAddr().String())
	in := &inbound{t: t, conn: conn, member: h.from, address: h.address, done: make(chan struct{})}
	if h.reads == 0 {
		in.incarnation = h.incarnation
	}
	return in, raw.SetDeadline(time.Time{})
}

// serverTLS demands a verified certificate whatever the configuration says. A member
// that speaks no TLS is told so in plain words.
func serverTLS(ctx context.Context, t *TLS, raw net.Conn) (net.Conn, error) {
	config, err := t.Server()
	if err != nil {
		return nil, &configError{err}
	}
	config = config.Clone()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	conn := tls.Server(raw, config)
	err = conn.HandshakeContext(ctx)
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil {
		r := refuse(ReasonTLS, "this member takes TLS only")
		dismiss(record.Conn, r)
		return nil, r
	}
	if err != nil {
		linger(raw) // the other side shall get the alert
		return nil, err
	}
	return conn, nil
}

func (t *Transport) noteRejected(conn net.Conn, err error) {
	if t.ctx.Err() != nil || errors.Is(err, io.EOF) {
		return
	}
	if r := refusalOfTLS(err); r != nil {
		err = r
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		t.counters.refused[r.Reason].Add(1)
		t.opts.Logger.V(1).Info("refused the connection of a peer", "from", conn.RemoteAddr().String(),
			"reason", r.Reason.String(), "told", r.Message)
		return
	}
	t.opts.Logger.V(1).Info("a peer's handshake failed", "from", conn.RemoteAddr().String(), "error", err.Error())
}

// run reads until the connection breaks.
func (in *inbound) run() {
	defer close(in.done)
	older, ok := in.enter()
	if !ok {
		return
	}
	if older != nil {
		older.conn.Close()
		<-older.done
	}
	if p := (*in.t.peers.Load())[in.member]; p != nil && !p.connected() {
		p.hurry()
	}
	err := in.read()
	in.silence()
	defer in.leave() // after the last call of the handler: the next connection waits for it
	if in.t.ctx.Err() != nil {
		return
	}
	in.t.counters.disconnects.Add(1)
	in.t.opts.Logger.Info("the connection of a peer broke", "member", in.member, "error", err.Error())
	in.t.handler.Disconnected(in.member)
}

// enter makes this the newest connection of its member and gives the one before it.
func (in *inbound) enter() (older *inbound, ok bool) {
	t := in.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return nil, false
	}
	older = t.mu.inbounds[in.member]
	t.mu.inbounds[in.member] = in
	if p := (*t.peers.Load())[in.member]; p == nil || p.guest.Load() && p.address != in.address {
		t.setPeers(t.named())
	}
	return older, true
}

// callsFrom gives the host from which the member is connected to this one, "" when it
// is not.
func (t *Transport) callsFrom(id protocol.MemberID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.mu.inbounds[id]
	if in == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(in.conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// addressOf gives where a named member is, "" for others.
func (t *Transport) addressOf(id protocol.MemberID) string {
	if p := (*t.peers.Load())[id]; p != nil && !p.guest.Load() {
		return p.address
	}
	return ""
}

// silence ends the answers to a member that is not named and does not call any more.
func (in *inbound) silence() {
	t := in.t
	t.mu.Lock()
	defer t.mu.Unlock()
	in.address = ""
	if p := (*t.peers.Load())[in.member]; p != nil && p.guest.Load() && t.mu.inbounds[in.member] == in {
		t.setPeers(t.named())
	}
}

func (in *inbound) leave() {
	t := in.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.inbounds[in.member] == in {
		delete(t.mu.inbounds, in.member)
	}
}

// read hands over all whole frames that have arrived, again and again.
func (in *inbound) read() error {
	r := frameReader{conn: in.conn, limit: in.t.opts.MaxFrameBytes, counters: &in.t.counters}
	var batch []protocol.Message
	for {
		batch = batch[:0]
		err := in.drain(&r, &batch)
		if len(batch) > 0 && in.t.ctx.Err() == nil {
			in.t.counters.received.Add(uint64(len(batch)))
			in.t.handler.Receive(batch)
			clear(batch)
		}
		if err != nil {
			in.refuse(err)
			return err
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// drain decodes the frames that are whole. What is before a fault is still good.
func (in *inbound) drain(r *frameReader, batch *[]protocol.Message) error {
	for {
		body, err := r.next()
		if body == nil || err != nil {
			return err
		}
		m, err := in.t.opts.Serializer.DecodeMessage(codec.Encoded{Bytes: body})
		if err != nil {
			return err
		}
		if m.From != in.member || m.To != in.t.opts.Self {
			return fmt.Errorf("a message from member %d to %d came over the connection of member %d to %d",
				m.From, m.To, in.member, in.t.opts.Self)
		}
		in.complete(&m)
		*batch = append(*batch, m)
	}
}

// complete puts the incarnation into votes of older members: they tell it in their hello, and
// a candidate counts no vote of a volume that it cannot tell from a wiped one.
func (in *inbound) complete(m *protocol.Message) {
	switch b := m.Body.(type) {
	case *protocol.PreVoteResponse:
		b.Incarnation = cmp.Or(b.Incarnation, in.incarnation)
	case *protocol.VoteResponse:
		b.Incarnation = cmp.Or(b.Incarnation, in.incarnation)
	}
}

// refuse tells the sender what is wrong with its frames.
func (in *inbound) refuse(err error) {
	in.t.counters.refused[ReasonMessage].Add(1)
	dismiss(in.conn, refuse(ReasonMessage, "%v", err))
}
