package tcp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// peer is the way to one member: its queue, and the goroutine that dials and writes.
type peer struct {
	t       *Transport
	id      protocol.MemberID
	address string
	queue   *queue
	stop    context.CancelFunc
	wake    chan struct{} // a token means: dial now
	up      atomic.Bool
	heard   atomic.Bool // it called, so where it called from is tried first
	guest   atomic.Bool // it is not named, and lives while it calls; set under Transport.mu

	// Of the goroutine alone.
	reads   uint16 // the newest version of messages that the other side reads
	backoff time.Duration
	refused Refusal // the last one that was logged
}

func (t *Transport) startPeer(id protocol.MemberID, address string, guest bool) *peer {
	ctx, stop := context.WithCancel(t.ctx)
	p := &peer{
		t: t, id: id, address: address, stop: stop,
		queue: newQueue(queueLimit{t.opts.MaxQueuedMessages, t.opts.MaxQueuedBytes}),
		wake:  make(chan struct{}, 1),
	}
	p.guest.Store(guest)
	t.wg.Go(func() {
		defer stop()
		p.run(ctx)
	})
	return p
}

func (p *peer) connected() bool { return p.up.Load() }

// hurry ends the wait between two dials: the peer was heard from, so it is up.
func (p *peer) hurry() {
	p.heard.Store(true)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run connects and serves until the peer is stopped.
func (p *peer) run(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := p.connect(ctx)
		if err != nil {
			p.pause(ctx, p.noteFailure(ctx, err))
			continue
		}
		began := time.Now()
		err = p.serve(ctx, conn)
		p.noteEnd(ctx, err)
		p.pause(ctx, p.afterward(err, time.Since(began)))
	}
}

// afterward gives how long to wait after a connection that stood for a while: not at all
// when it was well, so that a restarted peer is reached at once.
func (p *peer) afterward(err error, stood time.Duration) time.Duration {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return p.noteRefusal(r)
	}
	if stood > p.t.opts.MaxBackoff {
		p.backoff, p.refused = 0, Refusal{}
		return 0
	}
	return p.nextBackoff()
}

// connect dials and introduces this member. A peer that was restarted may be at another
// address than name servers and their caches believe for a while; but while it is
// connected to this member, it is known where it is: that is tried first once it has called,
// and whenever its name leads nowhere. What its name leads to is what counts in the end.
func (p *peer) connect(ctx context.Context) (net.Conn, error) {
	called := p.heard.Swap(false)
	if called {
		if conn := p.connectBack(ctx); conn != nil {
			return conn, nil
		}
	}
	conn, err := p.connectTo(ctx, p.address)
	if err != nil && !called {
		if conn := p.connectBack(ctx); conn != nil {
			return conn, nil
		}
	}
	return conn, err
}

// connectBack tries where the peer calls from, if it does; nil: in vain.
func (p *peer) connectBack(ctx context.Context) net.Conn {
	host := p.t.callsFrom(p.id)
	_, port, err := net.SplitHostPort(p.address)
	if host == "" || err != nil {
		return nil
	}
	conn, err := p.connectTo(ctx, net.JoinHostPort(host, port))
	if err != nil {
		return nil
	}
	return conn
}

func (p *peer) connectTo(ctx context.Context, address string) (net.Conn, error) {
	o := &p.t.opts
	dialCtx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	raw, err := o.Dial(dialCtx, address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn, err := p.greet(ctx, raw)
	if err != nil {
		raw.Close()
		if r := refusalOfTLS(err); r != nil {
			return nil, r
		}
		return nil, err
	}
	return conn, nil
}

func (p *peer) greet(ctx context.Context, raw net.Conn) (net.Conn, error) {
	o := &p.t.opts
	tune(raw, o.DeadAfter)
	if err := raw.SetDeadline(time.Now().Add(o.HandshakeTimeout)); err != nil {
		return nil, err
	}
	conn := raw
	if o.TLS != nil {
		c, err := clientTLS(ctx, o.TLS, raw, p.address)
		if err != nil {
			return nil, err
		}
		if r := o.TLS.verify(c, p.id, p.address); r != nil {
			return nil, local(r)
		}
		conn = c
	}
	h := o.hello(p.id)
	if p.guest.Load() {
		h.address = ""
	}
	reads, err := introduce(conn, h)
	if err != nil {
		return nil, err
	}
	p.reads = reads
	return conn, raw.SetDeadline(time.Time{})
}

func clientTLS(ctx context.Context, t *TLS, raw net.Conn, address string) (net.Conn, error) {
	config, err := t.Client()
	if err != nil {
		return nil, &configError{err}
	}
	config = config.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	return conn, conn.HandshakeContext(ctx)
}

// serve writes what is queued until the connection breaks or the peer is stopped.
func (p *peer) serve(ctx context.Context, conn net.Conn) error {
	p.t.counters.connects.Add(1)
	p.t.opts.Logger.Info("connected to peer", "member", p.id, "address", p.address, "at", conn.RemoteAddr().String())
	p.up.Store(true)
	p.queue.setConnected(true)
	defer func() {
		p.up.Store(false)
		p.t.counters.dropped.Add(uint64(p.queue.setConnected(false)))
	}()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	broken := make(chan error, 1)
	p.t.wg.Go(func() {
		broken <- watch(conn)
		conn.Close() // ends a write that is going on
	})
	err := p.write(ctx, conn, broken)
	conn.Close()
	if r, ok := errors.AsType[*Refusal](<-broken); ok {
		return r
	}
	return err
}

// watch waits for the end of a connection on which the other side says nothing, or
// why it does not want to go on.
func watch(conn net.Conn) error {
	typ, body, err := readControl(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	if typ != frameRefusal {
		return errors.New("the other side sent a frame that does not belong here")
	}
	r, err := parseRefusal(body)
	if err != nil {
		return err
	}
	return r
}

// write is the loop of the writer. broken gets one value, which serve needs: a value
// taken from it is put back.
func (p *peer) write(ctx context.Context, conn net.Conn, broken chan error) error {
	w := batchWriter{t: p.t, conn: conn, reads: p.reads}
	w.versioned, _ = p.t.opts.Serializer.(codec.Versioned)
	var batch []protocol.Message
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			broken <- err
			return err
		case <-p.queue.ready:
		}
		batch = p.queue.take(batch)
		err := w.write(batch)
		clear(batch)
		if err != nil {
			return err
		}
	}
}

// noteFailure counts and logs why there is no connection, and gives how long to wait.
func (p *peer) noteFailure(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		return p.noteRefusal(r)
	}
	p.t.counters.dialFailures.Add(1)
	p.refused = Refusal{} // the peer ended: its next process may refuse for the same reason
	p.t.opts.Logger.V(1).Info("cannot connect to peer", "member", p.id, "address", p.address, "error", err.Error())
	return p.nextBackoff()
}

// noteRefusal logs and reports a refusal once until it changes. The wait is long: a
// person has to mend something first.
func (p *peer) noteRefusal(r *Refusal) time.Duration {
	r.Member, r.Address = p.id, p.address
	p.t.counters.refusedBy[r.Reason].Add(1)
	if p.refused != *r {
		p.refused = *r
		p.t.opts.Logger.Error(r, "refused: no connection with a peer", "member", p.id, "address", p.address, "reason", r.Reason.String())
		if p.t.opts.OnRefused != nil {
			p.t.opts.OnRefused(p.id, r)
		}
	}
	return jitter(5 * p.t.opts.MaxBackoff)
}

func (p *peer) noteEnd(ctx context.Context, err error) {
	if ctx.Err() == nil {
		p.t.opts.Logger.Info("the connection to a peer broke", "member", p.id, "address", p.address, "error", err.Error())
	}
}

func (p *peer) nextBackoff() time.Duration {
	o := &p.t.opts
	p.backoff = min(max(2*p.backoff, o.MinBackoff), o.MaxBackoff)
	return jitter(p.backoff)
}

// jitter draws from [d/2, d], so that peers that lost each other do not dial in step.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func (p *peer) pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-p.wake:
	}
}
