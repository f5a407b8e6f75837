package memcomms

import (
	"time"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Parcel is a message that goes on, after a while if Delay is set. Others overtake it
// meanwhile.
type Parcel struct {
	Message protocol.Message
	Delay   time.Duration
}

// Interceptors stand where messages go out and come in. Those that come before give what
// shall go on in the place of a message: nothing (it is lost), the same, a changed one,
// several. A body is shared with its sender: to change it, put a copy in its place. They
// are called from the goroutines that carry messages, must not block, and may be nil.
//
// An interceptor can do what no transport may: deliver twice, or out of order. The
// replica bears both, except that a Forward that arrives twice is two commands.
type Interceptors struct {
	BeforeOut func(protocol.Message) []Parcel // before it leaves, and before a Pauser sees it
	AfterOut  func(protocol.Message)          // it has left
	BeforeIn  func(protocol.Message) []Parcel // it has come, before a Pauser sees it
	AfterIn   func(protocol.Message)          // the Handler has taken it
}

// Pass lets a message go on as it is.
func Pass(m protocol.Message) []Parcel { return []Parcel{{Message: m}} }

// Intercept sets the interceptors, in the place of those that were set before.
func (b *Switchboard) Intercept(i Interceptors) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.between = i
}

// interceptors gives those of the moment, with a note of what they drop.
func (b *Switchboard) interceptors() interceptors {
	b.mu.Lock()
	defer b.mu.Unlock()
	return interceptors{b.state.between, b}
}

type interceptors struct {
	Interceptors
	board *Switchboard
}

func (i interceptors) out(m protocol.Message) []Parcel { return i.ask(i.BeforeOut, m) }

func (i interceptors) in(m protocol.Message) []Parcel { return i.ask(i.BeforeIn, m) }

func (i interceptors) ask(f func(protocol.Message) []Parcel, m protocol.Message) []Parcel {
	if f == nil {
		return Pass(m)
	}
	parcels := f(m)
	if len(parcels) == 0 {
		i.board.lost(m)
	}
	return parcels
}

// lost counts and tells of a message that an interceptor dropped.
func (b *Switchboard) lost(m protocol.Message) {
	b.mu.Lock()
	b.state.dropped++
	b.mu.Unlock()
	b.tell(pauser.Dropped, m.From, m)
}
