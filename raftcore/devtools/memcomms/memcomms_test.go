package memcomms

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
	"github.com/quorate/quorate/raftcore/transport/transporttest"
)

type network struct{ board *Switchboard }

func (n network) Start(_ testing.TB, id protocol.MemberID, h transport.Handler) (transport.Comms, string) {
	return n.board.Connect(id, h), fmt.Sprint("member-", id)
}

func TestComms(t *testing.T) {
	transporttest.Test(t, func(_ testing.TB, s codec.Serializer) transporttest.Network {
		return network{New(s)}
	}, codec.Identity{}, codec.Msgpack{})
}

// heard is a Handler that notes what comes.
type heard struct {
	mu   sync.Mutex
	news []string
}

func (h *heard) note(news ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news = append(h.news, news...)
}

func (h *heard) Receive(messages []protocol.Message) {
	for _, m := range messages {
		h.note(fmt.Sprint("read ", number(m)))
	}
}

func (h *heard) Disconnected(id protocol.MemberID) {
	h.note(fmt.Sprint("lost ", id))
}

// pair connects members 1 and 2 and gives how 1 sends to 2, and what 2 hears.
func pair(t *testing.T) (b *Switchboard, send func(ids ...uint64), h *heard) {
	b, h = New(codec.Msgpack{}), &heard{}
	one, two := b.Connect(1, &heard{}), b.Connect(2, h)
	for _, c := range []*Comms{one, two} {
		c.SetPeers(map[protocol.MemberID]string{1: "", 2: ""})
		t.Cleanup(func() { c.Close() })
	}
	return b, func(ids ...uint64) {
		for _, id := range ids {
			one.Send([]protocol.Message{{From: 1, To: 2, Body: &protocol.ReadRequest{ID: id}}})
		}
		synctest.Wait()
	}, h
}

func expect(t *testing.T, h *heard, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := cmp.Diff(want, h.news); d != "" {
		t.Errorf("member 2 heard (-want +got):\n%s", d)
	}
}

func TestCutAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, send, h := pair(t)
		send(1)
		b.Cut(1, 2)
		send(2)
		b.Heal()
		b.Cut(2, 1)
		send(3)
		b.Isolate(2)
		send(4)
		expect(t, h, "read 1", "read 3")
		if got := b.Dropped(); got != 2 {
			t.Errorf("%d messages were dropped, want 2", got)
		}
	})
}

func TestHoldReleaseFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, send, h := pair(t)
		b.Hold(1, 2)
		send(1, 2, 3, 4)
		expect(t, h)
		if got := len(b.Held(1, 2)); got != 4 {
			t.Errorf("%d messages are held, want 4", got)
		}
		if got := b.Release(1, 2, 2); got != 2 {
			t.Errorf("%d messages were released, want 2", got)
		}
		send(5)
		expect(t, h, "read 1", "read 2")
		b.Flow(1, 2)
		send(6)
		expect(t, h, "read 1", "read 2", "read 3", "read 4", "read 5", "read 6")
	})
}

func TestBreakLosesWhatIsUnderWayAndTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, send, h := pair(t)
		b.Break(1, 2)
		expect(t, h)
		send(1)
		b.Hold(1, 2)
		send(2)
		b.Break(1, 2)
		b.Flow(1, 2)
		send(3)
		expect(t, h, "read 1", "lost 1", "read 3")
	})
}

func TestDropIf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, send, h := pair(t)
		b.DropIf(func(m protocol.Message) bool { return m.Body.(*protocol.ReadRequest).ID%2 == 0 })
		send(1, 2, 3)
		b.Heal()
		send(4)
		expect(t, h, "read 1", "read 3", "read 4")
	})
}
