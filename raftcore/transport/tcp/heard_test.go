package tcp_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// arrivals hands on what arrives.
type arrivals chan protocol.Message

func (a arrivals) Receive(ms []protocol.Message) {
	for _, m := range ms {
		a <- m
	}
}
func (arrivals) Disconnected(protocol.MemberID) {}

// A member whose name leads nowhere, as after a restart under another address while name
// servers still tell the old one, is reached where it was heard from.
func TestReachedWhereItWasHeardFrom(t *testing.T) {
	o := options(1)
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "stale:") {
			return nil, errors.New("no route to the former address")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	heard := make(arrivals, 100)
	one, addressOfOne := start(t, o, heard)
	got := make(arrivals, 100)
	two, addressOfTwo := start(t, options(2), got)
	_, port, err := net.SplitHostPort(addressOfTwo)
	if err != nil {
		t.Fatal(err)
	}
	two.SetPeers(map[protocol.MemberID]string{1: addressOfOne})
	reach(t, two, heard, 1) // it has called before its name is known here
	one.SetPeers(map[protocol.MemberID]string{2: net.JoinHostPort("stale", port)})
	reach(t, one, got, 2)
}

// reach sends until something arrives.
func reach(t *testing.T, from *tcp.Transport, got arrivals, to protocol.MemberID) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		from.Send([]protocol.Message{{From: 3 - to, To: to, Term: 1, Body: &protocol.TimeoutNow{}}})
		select {
		case <-got:
			return
		case <-tick.C:
		case <-deadline:
			t.Fatalf("member %d is not reached within 20 s", to)
		}
	}
}

// Where a member was heard from counts once; a stranger there is passed over in favour
// of the member's address.
func TestAStrangerWhereAMemberWasHeardFrom(t *testing.T) {
	o := options(1)
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "localhost:") {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
		return nil, errors.New("somebody else lives here")
	}
	one, addressOfOne := start(t, o, make(arrivals, 100))
	got := make(arrivals, 100)
	two, addressOfTwo := start(t, options(2), got)
	_, port, err := net.SplitHostPort(addressOfTwo)
	if err != nil {
		t.Fatal(err)
	}
	two.SetPeers(map[protocol.MemberID]string{1: addressOfOne})
	one.SetPeers(map[protocol.MemberID]string{2: net.JoinHostPort("localhost", port)})
	reach(t, one, got, 2)
}
