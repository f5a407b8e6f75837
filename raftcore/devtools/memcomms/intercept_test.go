package memcomms

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
)

func number(m protocol.Message) uint64 { return m.Body.(*protocol.ReadRequest).ID }

// meddle loses message 1, changes 2 into 20, repeats 3, delays 4 by a second, and lets
// all others pass.
func meddle(m protocol.Message) []Parcel {
	switch number(m) {
	case 1:
		return nil
	case 2:
		m.Body = &protocol.ReadRequest{ID: 20}
	case 3:
		return []Parcel{{Message: m}, {Message: m}}
	case 4:
		return []Parcel{{Message: m, Delay: time.Second}}
	}
	return Pass(m)
}

func TestInterceptors(t *testing.T) {
	for name, i := range map[string]Interceptors{"out": {BeforeOut: meddle}, "in": {BeforeIn: meddle}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, send, h := pair(t)
				b.Intercept(i)
				send(1, 2, 3, 4, 5)
				expect(t, h, "read 20", "read 3", "read 3", "read 5")
				<-time.After(time.Second)
				expect(t, h, "read 20", "read 3", "read 3", "read 5", "read 4")
				if got := b.Dropped(); got != 1 {
					t.Errorf("%d messages were dropped, want 1", got)
				}
				b.Intercept(Interceptors{})
				send(1)
				expect(t, h, "read 20", "read 3", "read 3", "read 5", "read 4", "read 1")
			})
		})
	}
}

// Interceptors and the watcher see a message in this order.
func TestInterceptorsComeBeforeTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, in []string // of the sender's goroutine, and of the receiver's
		note := func(what string) func(protocol.Message) {
			saw := &out
			if strings.HasSuffix(what, "in") || what == "arrived" {
				saw = &in
			}
			return func(m protocol.Message) { *saw = append(*saw, fmt.Sprint(what, " ", number(m))) }
		}
		before := func(what string) func(protocol.Message) []Parcel {
			return func(m protocol.Message) []Parcel {
				note(what)(m)
				return meddle(m)
			}
		}
		kinds := map[pauser.Kind]string{pauser.Sent: "sent", pauser.Arrived: "arrived", pauser.Dropped: "dropped"}
		b := Watched(codec.Identity{}, func(e pauser.Event) { note(kinds[e.Kind])(e.Message) })
		one, two := b.Connect(1, &heard{}), b.Connect(2, &heard{})
		defer one.Close()
		defer two.Close()
		one.SetPeers(map[protocol.MemberID]string{2: ""})
		b.Intercept(Interceptors{BeforeOut: before("before out"), AfterOut: note("after out"), BeforeIn: before("before in"), AfterIn: note("after in")})
		for _, id := range []uint64{1, 2} {
			one.Send([]protocol.Message{{From: 1, To: 2, Body: &protocol.ReadRequest{ID: id}}})
			synctest.Wait()
		}
		want := [][]string{
			{"before out 1", "dropped 1", "before out 2", "sent 20", "after out 20"},
			{"before in 20", "arrived 20", "after in 20"},
		}
		if d := cmp.Diff(want, [][]string{out, in}); d != "" {
			t.Errorf("out and in (-want +got):\n%s", d)
		}
	})
}

// A member whose watcher blocks is not blocked: Send returns at once.
func TestSendReturnsWhileTheWatcherBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := Watched(codec.Identity{}, func(pauser.Event) { <-gate })
		h := &heard{}
		one, two := b.Connect(1, &heard{}), b.Connect(2, h)
		one.SetPeers(map[protocol.MemberID]string{2: ""})
		for id := range uint64(3) {
			one.Send([]protocol.Message{{From: 1, To: 2, Body: &protocol.ReadRequest{ID: id}}})
		}
		expect(t, h)
		close(gate)
		expect(t, h, "read 0", "read 1", "read 2")
		one.Close()
		two.Close()
	})
}
