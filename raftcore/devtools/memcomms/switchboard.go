package memcomms

import (
	"sync"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

// Switchboard connects the members of one process. Its methods may be called from any
// goroutine.
type Switchboard struct {
	serializer codec.Serializer
	watch      func(pauser.Event)

	mu    sync.Mutex
	state boardState
}

type boardState struct {
	members map[protocol.MemberID]*Comms // those that are not closed
	routes  map[way]*route
	drop    func(protocol.Message) bool
	between Interceptors
	dropped uint64
}

// way is a direction between two members.
type way struct{ from, to protocol.MemberID }

// route is what was done to a way.
type route struct {
	cut  bool
	hold bool
	held []letter
}

// letter is an encoded message.
type letter struct {
	encoded codec.Encoded
	message protocol.Message // as it was sent, for those who look and pick
	size    int
	delayed bool // BeforeIn has seen it
}

// New makes a switchboard without members. Each message goes through the serializer.
func New(s codec.Serializer) *Switchboard { return Watched(s, nil) }

// Watched is New with a function that is told of each message that leaves, from one
// goroutine for each sender, and of each one that is about to be received, from the
// goroutine that calls the Handler. It may block: that is how a Pauser stops a group.
func Watched(s codec.Serializer, watch func(pauser.Event)) *Switchboard {
	return &Switchboard{serializer: s, watch: watch, state: boardState{
		members: map[protocol.MemberID]*Comms{},
		routes:  map[way]*route{},
	}}
}

// Connect gives a member its comms. A member that was closed may be connected again:
// that is its next process.
func (b *Switchboard) Connect(id protocol.MemberID, h transport.Handler) *Comms {
	c := &Comms{board: b, id: id, handler: h, stop: make(chan struct{}), wake: make(chan struct{}, 1), doors: map[protocol.MemberID]*door{}}
	if b.watch != nil {
		c.calls.Go(c.postAll)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.members[id] = c
	return c
}

// Cut drops everything that one member sends to another, in this direction, from now on.
func (b *Switchboard) Cut(from, to protocol.MemberID) {
	b.change(from, to, func(r *route) { r.cut, r.held = true, nil })
}

// Isolate cuts all ways to and from a member.
func (b *Switchboard) Isolate(id protocol.MemberID) {
	for _, other := range b.ids() {
		if other != id {
			b.Cut(id, other)
			b.Cut(other, id)
		}
	}
}

// Heal undoes every Cut and what DropIf picks.
func (b *Switchboard) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.drop = nil
	for _, r := range b.state.routes {
		r.cut = false
	}
}

// DropIf drops each message that the function picks, instead of those that an earlier
// function picked. It is called with the switchboard locked.
func (b *Switchboard) DropIf(pick func(protocol.Message) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.drop = pick
}

// Hold keeps what one member sends to another until Release or Flow.
func (b *Switchboard) Hold(from, to protocol.MemberID) {
	b.change(from, to, func(r *route) { r.hold = true })
}

// Held gives the messages that are kept on a way, the oldest first.
func (b *Switchboard) Held(from, to protocol.MemberID) (messages []protocol.Message) {
	b.change(from, to, func(r *route) {
		for _, l := range r.held {
			messages = append(messages, l.message)
		}
	})
	return messages
}

// Release lets the oldest n messages that are kept on a way go, and goes on to keep
// later ones. It gives how many went.
func (b *Switchboard) Release(from, to protocol.MemberID, n int) int {
	b.change(from, to, func(r *route) {
		n = min(n, len(r.held))
		for _, l := range r.held[:n] {
			b.deliver(way{from, to}, l)
		}
		r.held = r.held[n:]
	})
	return n
}

// Flow ends Hold and lets everything go that was kept.
func (b *Switchboard) Flow(from, to protocol.MemberID) {
	b.change(from, to, func(r *route) {
		for _, l := range r.held {
			b.deliver(way{from, to}, l)
		}
		r.hold, r.held = false, nil
	})
}

// Break breaks the connections between two members: what is under way is lost, and
// both are told.
func (b *Switchboard) Break(x, y protocol.MemberID) {
	for _, w := range []way{{x, y}, {y, x}} {
		b.change(w.from, w.to, func(r *route) {
			r.held = nil
			if to := b.state.members[w.to]; to != nil {
				to.door(w.from).disconnect(true)
			}
		})
	}
}

// Dropped gives how many messages were lost so far, for whatever reason.
func (b *Switchboard) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.dropped
}

func (b *Switchboard) ids() []protocol.MemberID {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []protocol.MemberID
	for id := range b.state.members {
		ids = append(ids, id)
	}
	return ids
}

func (b *Switchboard) change(from, to protocol.MemberID, f func(*route)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.route(way{from, to}))
}

// route gives what was done to a way. The switchboard is locked.
func (b *Switchboard) route(w way) *route {
	if b.state.routes[w] == nil {
		b.state.routes[w] = &route{}
	}
	return b.state.routes[w]
}

// pass takes a letter that a member sends. The switchboard is locked.
func (b *Switchboard) pass(w way, l letter) {
	switch r := b.route(w); {
	case r.cut || b.state.drop != nil && b.state.drop(l.message):
		b.state.dropped++
	case r.hold:
		r.held = append(r.held, l)
	default:
		b.deliver(w, l)
	}
}

// deliver puts a letter into the receiver's queue. The switchboard is locked.
func (b *Switchboard) deliver(w way, l letter) {
	to := b.state.members[w.to]
	if to == nil || !to.door(w.from).put(l) {
		b.state.dropped++
		return
	}
	if from := b.state.members[w.from]; from != nil {
		from.door(w.to).stood = true
		if _, peer := from.peers[w.to]; peer {
			to.door(w.from).called = true
		}
	}
}

// tell emits an event of a message.
func (b *Switchboard) tell(k pauser.Kind, id protocol.MemberID, m protocol.Message) {
	if b.watch != nil {
		b.watch(pauser.Event{Kind: k, Member: id, Message: m})
	}
}
