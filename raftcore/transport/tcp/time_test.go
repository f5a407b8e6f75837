package tcp_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// pipes is a network of net.Pipe, whose time is that of a synctest bubble.
type pipes struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
	dials     []time.Time
}

type pipeListener struct {
	address string
	calls   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: l.address} }

func (p *pipes) listen(address string) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &pipeListener{address: address, calls: make(chan net.Conn), closed: make(chan struct{})}
	if p.listeners == nil {
		p.listeners = map[string]*pipeListener{}
	}
	p.listeners[address] = l
	return l
}

// dial notes when it was called.
func (p *pipes) dial(ctx context.Context, address string) (net.Conn, error) {
	p.mu.Lock()
	p.dials = append(p.dials, time.Now())
	l := p.listeners[address]
	p.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case l.calls <- far:
		return near, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) dialled() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]time.Time{}, p.dials...)
}

// start gives a member on the network; its dials are noted in calls.
func (p *pipes) start(t *testing.T, id protocol.MemberID, address string, calls *pipes, h *sink) *tcp.Transport {
	o := options(id)
	o.Listener = p.listen(address)
	o.MinBackoff, o.MaxBackoff = 20*time.Millisecond, time.Second
	o.Dial = func(ctx context.Context, to string) (net.Conn, error) {
		calls.mu.Lock()
		calls.dials = append(calls.dials, time.Now())
		calls.mu.Unlock()
		return p.dial(ctx, to)
	}
	tr, err := tcp.New(o, h)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// pass lets time pass in the bubble: no real time does.
func pass(d time.Duration) { <-time.After(d) }

func TestDialsAreSpreadAndHurriedWhenThePeerIsHeardFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network, calls, other pipes
		inbox := newSink()
		a := network.start(t, 1, "a", &calls, inbox)
		defer a.Close()
		a.SetPeers(map[protocol.MemberID]string{2: "b"})
		for range 30 {
			pass(time.Second)
		}
		times := calls.dialled()
		most := 10 * time.Millisecond
		for i := 1; i < len(times); i++ {
			wait := times[i].Sub(times[i-1])
			most = min(2*most, time.Second)
			if wait < most/2 || wait > most {
				t.Errorf("the wait before dial %d was %v, not in [%v, %v]", i, wait, most/2, most)
			}
		}
		if len(times) < 30 || len(times) > 70 {
			t.Errorf("%d dials in 30 s", len(times))
		}
		b := network.start(t, 2, "b", &other, newSink())
		defer b.Close()
		began := time.Now()
		b.SetPeers(map[protocol.MemberID]string{1: "a"})
		synctest.Wait()
		if got := a.Stats().Connected; len(got) != 1 || time.Since(began) != 0 {
			t.Errorf("heard from the peer and not connected to it at once: %v", got)
		}
	})
}

func TestAConnectionThatWasWellIsDialledAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network, calls pipes
		a := network.start(t, 1, "a", &calls, newSink())
		defer a.Close()
		a.SetPeers(map[protocol.MemberID]string{2: "b"})
		inbox := newSink()
		b := network.start(t, 2, "b", &calls, inbox)
		pass(10 * time.Second)
		if n := len(a.Stats().Connected); n != 1 {
			t.Fatalf("%d connections", n)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = network.start(t, 2, "b", &calls, inbox)
		defer b.Close()
		began := time.Now()
		for len(a.Stats().Connected) == 0 || a.Stats().Connects < 2 {
			pass(time.Millisecond)
		}
		if d := time.Since(began); d > 50*time.Millisecond {
			t.Errorf("connected again after %v", d)
		}
	})
}

// TestNothingOutlivesClose: the bubble fails when a goroutine is left.
func TestNothingOutlivesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network, calls pipes
		var members []*tcp.Transport
		addresses := map[protocol.MemberID]string{1: "a", 2: "b", 3: "c", 4: "nobody"}
		inboxes := map[protocol.MemberID]*sink{}
		for id := protocol.MemberID(1); id <= 3; id++ {
			inboxes[id] = newSink()
			members = append(members, network.start(t, id, addresses[id], &calls, inboxes[id]))
		}
		for _, m := range members {
			m.SetPeers(addresses)
		}
		synctest.Wait()
		for range 100 {
			members[0].Send(append(ping(1, 2, 1), ping(1, 3, 2)...))
			members[1].Send(ping(2, 1, 3))
			pass(10 * time.Millisecond)
		}
		members[0].SetPeers(map[protocol.MemberID]string{2: "b", 3: "moved"})
		synctest.Wait()
		for _, m := range members {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := len(inboxes[2].messages); n != 100 {
			t.Errorf("%d of 100 messages arrived", n)
		}
	})
}
