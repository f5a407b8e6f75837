package transporttest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/codec/codectest"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

var duties = []struct {
	name string
	test func(*testing.T, *world)
}{
	{"every kind arrives as it was sent", testKinds},
	{"messages arrive in order and at most once", testOrder},
	{"each of several goroutines that send keeps its order", testConcurrentSend},
	{"a large message arrives whole", testLarge},
	{"payloads are the handler's for good", testOwnership},
	{"the slice is the caller's after Send", testSliceReuse},
	{"messages for unknown members and for oneself are dropped", testUnknown},
	{"a blocked receiver costs the others nothing", testBlocked},
	{"the end of a process is told once", testDisconnected},
	{"a member that was restarted elsewhere is reached", testRestart},
	{"a member that is no peer any more gets nothing", testRemovePeer},
	{"a member that calls is answered", testCaller},
	{"nothing is received after Close", testClose},
}

// sameBytes compares payloads at once and not byte for byte.
var sameBytes = cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal))

// Test checks every duty of the contract transport.Comms, once with each serializer:
// a transport gets its serializer when it is set up and knows none. At least two are
// wanted.
func Test(t *testing.T, network New, serializers ...codec.Serializer) {
	if len(serializers) < 2 {
		t.Errorf("the suite wants at least two serializers, got %d", len(serializers))
	}
	for _, s := range serializers {
		t.Run(s.Name(), func(t *testing.T) {
			for _, d := range duties {
				t.Run(d.name, func(t *testing.T) { d.test(t, newWorld(t, network(t, s))) })
			}
		})
	}
}

// world is the members of one test, by ID.
type world struct {
	network   Network
	addresses map[protocol.MemberID]string
	comms     map[protocol.MemberID]transport.Comms
	inboxes   map[protocol.MemberID]*Inbox
	serial    uint64
}

func newWorld(t *testing.T, n Network) *world {
	w := &world{
		network:   n,
		addresses: map[protocol.MemberID]string{},
		comms:     map[protocol.MemberID]transport.Comms{},
		inboxes:   map[protocol.MemberID]*Inbox{},
	}
	t.Cleanup(func() { w.end(t) })
	return w
}

func (w *world) end(t *testing.T) {
	for id, c := range w.comms {
		if err := c.Close(); err != nil {
			t.Errorf("closing member %d: %v", id, err)
		}
	}
	for id, b := range w.inboxes {
		if overlap := look(b, func(s *inboxState) string { return s.overlap }); overlap != "" {
			t.Errorf("member %d: %s", id, overlap)
		}
	}
}

// start starts the members and makes all members peers of each other.
func (w *world) start(t *testing.T, ids ...protocol.MemberID) {
	t.Helper()
	for _, id := range ids {
		if w.inboxes[id] == nil {
			w.inboxes[id] = &Inbox{}
		}
		w.comms[id], w.addresses[id] = w.network.Start(t, id, w.inboxes[id])
	}
	for _, c := range w.comms {
		c.SetPeers(w.addresses)
	}
}

// send sends bodies from one member to another.
func (w *world) send(from, to protocol.MemberID, bodies ...protocol.Body) {
	messages := make([]protocol.Message, len(bodies))
	for i, b := range bodies {
		messages[i] = protocol.Message{From: from, To: to, Term: 3, Body: b}
	}
	w.comms[from].Send(messages)
}

// link waits until a message gets from one member to another. What was sent before
// on the same way has arrived then, or never will.
func (w *world) link(t *testing.T, from, to protocol.MemberID) {
	t.Helper()
	w.serial++
	probe := &protocol.ReadResponse{ID: w.serial, Rejected: true}
	w.inboxes[to].await(t, fmt.Sprintf("a message from %d to %d", from, to),
		func() { w.send(from, to, probe) },
		func(s *inboxState) bool {
			return slices.ContainsFunc(s.messages, func(m protocol.Message) bool {
				b, ok := m.Body.(*protocol.ReadResponse)
				return ok && m.From == from && *b == *probe
			})
		})
}

// got gives the messages that member 2 has from member 1, probes left out.
func (w *world) got() []protocol.Message {
	return look(w.inboxes[2], func(s *inboxState) (ms []protocol.Message) {
		for _, m := range s.messages {
			if b, ok := m.Body.(*protocol.ReadResponse); m.From == 1 && !(ok && b.Rejected && b.Index == 0) {
				ms = append(ms, m)
			}
		}
		return ms
	})
}

func testKinds(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	var want []protocol.Message
	for _, x := range codectest.Messages() {
		if b, ok := x.Value.Body.(*protocol.ReadResponse); ok && b.Rejected {
			continue // looks like a probe
		}
		want = append(want, x.Value)
	}
	w.comms[1].Send(want)
	w.link(t, 1, 2)
	if diff := cmp.Diff(want, w.got(), sameBytes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("messages changed (-sent +got):\n%s", diff)
	}
}

func testOrder(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	const rounds, batch = 200, 20
	id := uint64(0)
	for range rounds {
		bodies := make([]protocol.Body, batch)
		for i := range bodies {
			id++
			bodies[i] = &protocol.ReadRequest{ID: id}
		}
		w.send(1, 2, bodies...)
	}
	w.link(t, 1, 2)
	mustAscend(t, w.got())
}

// mustAscend fails unless the messages are ReadRequests with ascending IDs, at least
// one of them: some may be lost, none may be repeated or overtaken.
func mustAscend(t *testing.T, ms []protocol.Message) {
	t.Helper()
	last := uint64(0)
	for _, m := range ms {
		id := m.Body.(*protocol.ReadRequest).ID
		if id <= last {
			t.Fatalf("message %d came after message %d", id, last)
		}
		last = id
	}
	if last == 0 {
		t.Error("no message arrived")
	}
}

func testConcurrentSend(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	const senders, each = 4, 500
	var wg sync.WaitGroup
	for g := range uint64(senders) {
		wg.Go(func() {
			for i := range uint64(each) {
				w.send(1, 2, &protocol.ReadRequest{ID: i*senders + g + senders})
			}
		})
	}
	wg.Wait()
	w.link(t, 1, 2)
	by := map[uint64][]protocol.Message{}
	for _, m := range w.got() {
		g := m.Body.(*protocol.ReadRequest).ID % senders
		by[g] = append(by[g], m)
	}
	for _, ms := range by {
		mustAscend(t, ms)
	}
}

func appendOf(index protocol.Index, payload []byte) *protocol.AppendRequest {
	return &protocol.AppendRequest{
		Prev:    protocol.EntryID{Term: 1, Index: index - 1},
		Entries: []protocol.Entry{{Index: index, Term: 1, Kind: protocol.EntryCommand, Payload: payload}},
	}
}

func testLarge(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	var want []protocol.Message
	for i, size := range []int{1, 3000, 70_000, 1 << 20, 5 << 20, 10} {
		body := appendOf(protocol.Index(i+1), bytes.Repeat([]byte{byte('a' + i)}, size))
		want = append(want, protocol.Message{From: 1, To: 2, Term: 3, Body: body})
		w.comms[1].Send(want[i:])
		w.link(t, 1, 2)
	}
	if got := w.got(); !cmp.Equal(want, got, sameBytes) {
		t.Errorf("of %d messages %d arrived, or they changed", len(want), len(got))
	}
}

func testOwnership(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	const n = 300
	for i := range n {
		w.send(1, 2, appendOf(protocol.Index(i+1), bytes.Repeat([]byte{byte(i)}, 1000)))
		if i%10 == 0 {
			w.link(t, 1, 2)
		}
	}
	w.link(t, 1, 2)
	got := w.got()
	for _, m := range got {
		e := m.Body.(*protocol.AppendRequest).Entries[0]
		if !bytes.Equal(e.Payload, bytes.Repeat([]byte{byte(e.Index - 1)}, 1000)) {
			t.Fatalf("the payload of entry %d changed after it was received", e.Index)
		}
	}
	if len(got) == 0 {
		t.Error("no message arrived")
	}
}

func testSliceReuse(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	slice := make([]protocol.Message, 1)
	for id := range uint64(500) {
		slice[0] = protocol.Message{From: 1, To: 2, Term: 3, Body: &protocol.ReadRequest{ID: id + 1}}
		w.comms[1].Send(slice)
		clear(slice)
	}
	w.link(t, 1, 2)
	mustAscend(t, w.got())
}

func testUnknown(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	w.comms[1].Send([]protocol.Message{
		{From: 1, To: 99, Body: &protocol.ReadRequest{ID: 1}},
		{From: 1, To: 1, Body: &protocol.ReadRequest{ID: 2}},
		{From: 1, To: 0, Body: &protocol.ReadRequest{ID: 3}},
		{From: 1, To: 2, Body: &protocol.ReadRequest{ID: 4}},
	})
	w.link(t, 1, 2)
	for to, inbox := range w.inboxes {
		for _, m := range look(inbox, func(s *inboxState) []protocol.Message { return s.messages }) {
			if m.To != to || m.From == m.To {
				t.Errorf("member %d got a message from %d for %d", to, m.From, m.To)
			}
		}
	}
	if got := w.got(); len(got) != 1 || got[0].Body.(*protocol.ReadRequest).ID != 4 {
		t.Errorf("member 2 got %v instead of only its own message", got)
	}
}

// testBlocked overfills the way to a member that takes nothing.
func testBlocked(t *testing.T, w *world) {
	w.start(t, 1, 2, 3)
	w.link(t, 1, 2)
	w.link(t, 1, 3)
	release := w.inboxes[2].block()
	defer release()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		payload := make([]byte, 64<<10)
		for i := range 500 { // 31 MiB: more than a kernel takes
			w.send(1, 2, appendOf(protocol.Index(i+1), payload))
		}
	}()
	select {
	case <-sent:
	case <-time.After(Patience):
		t.Fatal("Send waits for a member that takes nothing")
	}
	w.link(t, 1, 3)
	release()
	w.link(t, 1, 2)
}

func testDisconnected(t *testing.T, w *world) {
	w.start(t, 1, 2, 3)
	for _, from := range []protocol.MemberID{2, 3} {
		w.link(t, from, 1)
	}
	if err := w.comms[2].Close(); err != nil {
		t.Fatal(err)
	}
	w.inboxes[1].await(t, "Disconnected(2)", func() {}, func(s *inboxState) bool { return s.disconnected[2] > 0 })
	w.link(t, 3, 1)
	told := look(w.inboxes[1], func(s *inboxState) map[protocol.MemberID]int { return maps.Clone(s.disconnected) })
	if told[2] != 1 || told[3] != 0 {
		t.Errorf("Disconnected was called %d times for member 2, which ended, and %d times for 3, which did not", told[2], told[3])
	}
}

func testRestart(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	w.link(t, 2, 1)
	for range 3 {
		if err := w.comms[2].Close(); err != nil {
			t.Fatal(err)
		}
		w.start(t, 2)
		w.link(t, 1, 2)
		w.link(t, 2, 1)
	}
}

func testRemovePeer(t *testing.T, w *world) {
	w.start(t, 1, 2, 3)
	w.link(t, 1, 2)
	w.link(t, 1, 3)
	w.silent(t, 2, 1)
	w.comms[1].SetPeers(map[protocol.MemberID]string{1: w.addresses[1], 3: w.addresses[3]})
	w.send(1, 2, &protocol.ReadRequest{ID: 1})
	w.link(t, 1, 3)
	w.comms[1].SetPeers(w.addresses)
	w.link(t, 1, 2)
	if got := w.got(); len(got) != 0 {
		t.Errorf("a member that was no peer got %d messages", len(got))
	}
}

// silent makes a member end its connection with another one.
func (w *world) silent(t *testing.T, from, to protocol.MemberID) {
	t.Helper()
	w.link(t, from, to)
	rest := maps.Clone(w.addresses)
	delete(rest, to)
	w.comms[from].SetPeers(rest)
	w.inboxes[to].await(t, "the end of the connection", func() {}, func(s *inboxState) bool { return s.disconnected[from] > 0 })
}

// testCaller: a member that names nobody answers one that calls, whatever it is told about
// its peers, and no longer than that one calls.
func testCaller(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.silent(t, 2, 1)
	for _, peers := range []map[protocol.MemberID]string{nil, {3: w.addresses[1]}} {
		w.comms[2].SetPeers(peers)
		w.link(t, 1, 2)
		w.link(t, 2, 1)
	}
	w.silent(t, 1, 2)
	w.send(2, 1, &protocol.ReadRequest{ID: 2})
	w.comms[1].SetPeers(w.addresses)
	w.link(t, 1, 2)
	w.link(t, 2, 1)
	look(w.inboxes[1], func(s *inboxState) any {
		for _, m := range s.messages {
			if _, ok := m.Body.(*protocol.ReadRequest); ok {
				t.Error("member 1 got a message from a member that it did not call")
			}
		}
		return nil
	})
}

func testClose(t *testing.T, w *world) {
	w.start(t, 1, 2)
	w.link(t, 1, 2)
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for id := uint64(1); ; id++ {
			select {
			case <-stop:
				return
			default:
				w.send(1, 2, &protocol.ReadRequest{ID: id})
			}
		}
	})
	if err := w.comms[2].Close(); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		return len(look(w.inboxes[2], func(s *inboxState) []protocol.Message { return s.messages }))
	}
	before := count()
	close(stop)
	sender.Wait()
	w.comms[2].Send([]protocol.Message{{From: 2, To: 1, Body: &protocol.ReadRequest{ID: 1}}})
	w.comms[2].SetPeers(w.addresses)
	if err := w.comms[2].Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if after := count(); after != before {
		t.Errorf("%d messages were received after Close", after-before)
	}
}
