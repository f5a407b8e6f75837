package host

import (
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
)

// sent counts the messages that leave.
type sent struct{ messages int }

func (s *sent) Send(ms []protocol.Message)          { s.messages += len(ms) }
func (*sent) SetPeers(map[protocol.MemberID]string) {}
func (*sent) Close() error                          { return nil }

// What waits for a disk that hangs is bounded: the rest is dropped, as by the network. When the
// disk goes on, what was held leaves, and there is room again.
func TestHeldMessagesAreBounded(t *testing.T) {
	out := &sent{}
	g := gate{comms: out}
	answer := []protocol.Message{{From: 1, To: 2, Term: 1, Body: &protocol.AppendResponse{}}}
	size := sizeOf(answer)
	fit := maxHeldBytes / size
	for range 3 * fit {
		g.hold(1, answer)
	}
	if g.bytes > maxHeldBytes || len(g.held) != fit || out.messages > 0 {
		t.Errorf("%d messages of %d bytes wait, %d have left; %d bytes are allowed", len(g.held), g.bytes, out.messages, maxHeldBytes)
	}
	g.done(1)
	if out.messages != fit || g.bytes != 0 || len(g.held) > 0 {
		t.Errorf("%d messages have left, %d of %d bytes wait still", out.messages, len(g.held), g.bytes)
	}
	g.hold(2, answer)
	if g.done(2); out.messages != fit+1 {
		t.Errorf("%d messages have left, want one more than %d", out.messages, fit)
	}
}
