package transporttest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

// Patience is how long the suite waits for what must happen.
const Patience = 20 * time.Second

// Network is where the members of one test live.
type Network interface {
	// Start sets up the comms of a member, with no peers yet, and gives the address
	// under which the others reach it. It may be called again with an ID whose
	// comms were closed: that is the member's next process. The implementation
	// calls t.Fatal when it cannot.
	Start(t testing.TB, id protocol.MemberID, h transport.Handler) (c transport.Comms, address string)
}

// New makes an empty network whose members use the serializer. What it opens it closes
// with t.Cleanup.
type New func(t testing.TB, s codec.Serializer) Network

// Inbox is a Handler that remembers what it got. The zero value is ready.
type Inbox struct {
	mu     sync.Mutex
	state  inboxState
	change chan struct{} // closed and replaced at each change
	hold   chan struct{} // while not nil, Receive waits for it
}

type inboxState struct {
	messages     []protocol.Message
	disconnected map[protocol.MemberID]int
	inside       map[protocol.MemberID]int // calls that are going on, by sender
	overlap      string                    // set when two calls for one sender overlapped
}

// Receive implements transport.Handler.
func (b *Inbox) Receive(messages []protocol.Message) {
	if len(messages) == 0 {
		return
	}
	from := messages[0].From
	hold := b.enter(from, "Receive")
	if hold != nil {
		<-hold
	}
	b.leave(from, func(s *inboxState) {
		s.messages = append(s.messages, messages...)
		for _, m := range messages {
			if m.From != from {
				s.overlap = fmt.Sprintf("one call of Receive has messages from %d and %d", from, m.From)
			}
		}
	})
}

// Disconnected implements transport.Handler.
func (b *Inbox) Disconnected(id protocol.MemberID) {
	b.enter(id, "Disconnected")
	b.leave(id, func(s *inboxState) { s.disconnected[id]++ })
}

func (b *Inbox) enter(from protocol.MemberID, what string) (hold chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.inside == nil {
		b.state.inside = map[protocol.MemberID]int{}
		b.state.disconnected = map[protocol.MemberID]int{}
	}
	if b.state.inside[from]++; b.state.inside[from] > 1 {
		b.state.overlap = fmt.Sprintf("%s was called for member %d while another call for it was going on", what, from)
	}
	b.wake()
	return b.hold
}

func (b *Inbox) leave(from protocol.MemberID, f func(*inboxState)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.inside[from]--
	f(&b.state)
	b.wake()
}

func (b *Inbox) wake() {
	if b.change != nil {
		close(b.change)
		b.change = nil
	}
}

// block makes Receive wait until release is called.
func (b *Inbox) block() (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	hold := make(chan struct{})
	b.hold = hold
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hold = nil
		close(hold)
	})
}

// look gives what f finds, with the state locked.
func look[T any](b *Inbox, f func(*inboxState) T) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return f(&b.state)
}

// await waits until ok holds and calls again, at once and then every few milliseconds
// until it does: messages may be lost, so what must arrive has to be repeated.
func (b *Inbox) await(t testing.TB, what string, again func(), ok func(*inboxState) bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	repeat := time.NewTicker(10 * time.Millisecond)
	defer repeat.Stop()
	again()
	for {
		done, change := b.check(ok)
		if done {
			return
		}
		select {
		case <-change:
		case <-repeat.C:
			again()
		case <-deadline.C:
			t.Fatalf("%s did not happen within %v", what, Patience)
		}
	}
}

func (b *Inbox) check(ok func(*inboxState) bool) (bool, chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok(&b.state) {
		return true, nil
	}
	if b.change == nil {
		b.change = make(chan struct{})
	}
	return false, b.change
}
