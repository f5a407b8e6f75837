package tcp

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

// Transport is a transport.Comms on TCP.
type Transport struct {
	opts     Options
	handler  transport.Handler
	listener net.Listener
	counters counters

	ctx    context.Context // ends in Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine

	peers atomic.Pointer[peerMap] // never changed, only replaced, under mu

	mu struct {
		sync.Mutex
		closed   bool
		calls    map[net.Conn]struct{}          // accepted connections, to be closed
		inbounds map[protocol.MemberID]*inbound // the newest of each member
	}
}

type peerMap map[protocol.MemberID]*peer

var _ transport.Comms = (*Transport)(nil)

// New listens and is ready to receive. It knows no peers until SetPeers.
func New(o Options, h transport.Handler) (*Transport, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	l := o.Listener
	if l == nil {
		var err error
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", o.ListenAddr); err != nil {
			return nil, fmt.Errorf("listening for peers: %w", err)
		}
	}
	t := &Transport{opts: o, handler: h, listener: l}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.peers.Store(&peerMap{})
	t.mu.calls = map[net.Conn]struct{}{}
	t.mu.inbounds = map[protocol.MemberID]*inbound{}
	t.wg.Go(t.accept)
	return t, nil
}

// Addr gives the address on which it listens.
func (t *Transport) Addr() net.Addr { return t.listener.Addr() }

// Send implements transport.Comms. Messages are encoded later, by each peer's own
// goroutine.
func (t *Transport) Send(messages []protocol.Message) {
	peers := *t.peers.Load()
	dropped := 0
	for _, m := range messages {
		if p := peers[m.To]; p != nil {
			dropped += p.queue.push(m)
		} else {
			dropped++
		}
	}
	if dropped > 0 {
		t.counters.dropped.Add(uint64(dropped))
	}
}

// SetPeers implements transport.Comms. This member itself may be among the peers; it is
// passed over. A peer whose address is the same keeps its connection.
func (t *Transport) SetPeers(addresses map[protocol.MemberID]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setPeers(addresses)
}

// named gives the peers that SetPeers has named.
func (t *Transport) named() map[protocol.MemberID]string {
	addresses := map[protocol.MemberID]string{}
	for id, p := range *t.peers.Load() {
		if !p.guest.Load() {
			addresses[id] = p.address
		}
	}
	return addresses
}

// setPeers makes the peers those that are named, and the guests: members that are not, but
// call and have told where they are. A connection to a guest does not tell where this member
// is, or two that have both forgotten each other would stay connected for ever.
func (t *Transport) setPeers(named map[protocol.MemberID]string) {
	if t.mu.closed {
		return
	}
	old, next := *t.peers.Load(), peerMap{}
	use := func(id protocol.MemberID, address string, guest bool) {
		p := old[id]
		if p == nil || p.address != address || guest && !p.guest.Load() {
			p = t.startPeer(id, address, guest)
		}
		p.guest.Store(guest)
		next[id] = p
	}
	for id, address := range named {
		if id != t.opts.Self && id != 0 {
			use(id, address, false)
		}
	}
	for id, in := range t.mu.inbounds {
		if next[id] == nil && in.address != "" {
			use(id, in.address, true)
		}
	}
	t.peers.Store(&next)
	for id, p := range old {
		if next[id] != p {
			p.stop()
		}
	}
}

// Stats gives what has happened so far.
func (t *Transport) Stats() Stats {
	s := t.counters.stats()
	peers := *t.peers.Load()
	for _, id := range slices.Sorted(maps.Keys(peers)) {
		if peers[id].connected() {
			s.Connected = append(s.Connected, id)
		}
	}
	return s
}

// Close implements transport.Comms. It waits for calls of the handler that are going
// on, so they must come to an end. What is queued is dropped.
func (t *Transport) Close() error {
	err := t.shut()
	t.wg.Wait()
	if err != nil {
		return fmt.Errorf("closing the listener for peers: %w", err)
	}
	return nil
}

// shut makes everything end that is going on.
func (t *Transport) shut() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return nil
	}
	t.mu.closed = true
	t.cancel()
	t.peers.Store(&peerMap{})
	for c := range t.mu.calls {
		c.Close()
	}
	return t.listener.Close()
}
