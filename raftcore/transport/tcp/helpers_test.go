package tcp_test

import (
	"encoding/json"
	"fmt"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/codec/codectest"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// options are those of a member on a free port of loopback.
func options(id protocol.MemberID) tcp.Options {
	return tcp.Options{
		Self: id, ClusterID: "test", Incarnation: protocol.Incarnation(id) * 11,
		Serializer: codec.Msgpack{}, ListenAddr: "127.0.0.1:0", Logger: logr.Discard(),
	}
}

// loopback is a Network on the loopback interface.
type loopback struct{ serializer codec.Serializer }

func (n loopback) Start(t testing.TB, id protocol.MemberID, h transport.Handler) (transport.Comms, string) {
	o := options(id)
	o.Serializer = n.serializer
	o.MaxQueuedBytes = 8 << 20 // so that the suite overfills a queue
	l, err := net.Listen("tcp", o.ListenAddr)
	if err != nil {
		t.Fatal(err)
	}
	o.Listener, o.Advertise = l, l.Addr().String()
	return start(t, o, h)
}

func start(t testing.TB, o tcp.Options, h transport.Handler) (*tcp.Transport, string) {
	t.Helper()
	c, err := tcp.New(o, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("closing member %d: %v", o.Self, err)
		}
	})
	return c, c.Addr().String()
}

// jsonSerializer is a second serializer, to show that the transport knows none. All
// but messages it leaves to Msgpack.
type jsonSerializer struct{ codec.Msgpack }

type jsonMessage struct {
	Kind     protocol.MessageKind
	From, To protocol.MemberID
	Term     protocol.Term
	Body     json.RawMessage
}

func (jsonSerializer) Name() string { return "json" }

func (jsonSerializer) EncodeMessage(dst []byte, m protocol.Message) (codec.Encoded, error) {
	body, err := json.Marshal(m.Body)
	if err != nil {
		return codec.Encoded{}, err
	}
	b, err := json.Marshal(jsonMessage{m.Body.Kind(), m.From, m.To, m.Term, body})
	return codec.Encoded{Bytes: append(dst, b...)}, err
}

func (jsonSerializer) DecodeMessage(e codec.Encoded) (protocol.Message, error) {
	var j jsonMessage
	if err := json.Unmarshal(e.Bytes, &j); err != nil {
		return protocol.Message{}, err
	}
	for _, x := range codectest.Messages() {
		if x.Value.Body.Kind() == j.Kind {
			body := newBody(x.Value.Body)
			err := json.Unmarshal(j.Body, body)
			return protocol.Message{From: j.From, To: j.To, Term: j.Term, Body: body}, err
		}
	}
	return protocol.Message{}, fmt.Errorf("kind %d is unknown", j.Kind)
}

// newBody gives an empty body of the same type.
func newBody(b protocol.Body) protocol.Body {
	return reflect.New(reflect.TypeOf(b).Elem()).Interface().(protocol.Body)
}

const patience = 20 * time.Second

// sink is a Handler that hands on what it gets.
type sink struct {
	messages     chan protocol.Message
	disconnected chan protocol.MemberID
}

func newSink() *sink {
	return &sink{make(chan protocol.Message, 100_000), make(chan protocol.MemberID, 1000)}
}

func (s *sink) Receive(ms []protocol.Message) {
	for _, m := range ms {
		s.messages <- m
	}
}

func (s *sink) Disconnected(id protocol.MemberID) { s.disconnected <- id }

// next waits for what comes out of the channel.
func next[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatalf("%s did not come within %v", what, patience)
		panic("unreachable")
	}
}

func ping(from, to protocol.MemberID, id uint64) []protocol.Message {
	return []protocol.Message{{From: from, To: to, Term: 1, Body: &protocol.ReadRequest{ID: id}}}
}

// connect waits until a message gets from one member to another.
func connect(t testing.TB, from *tcp.Transport, fromID, to protocol.MemberID, h *sink) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	from.Send(ping(fromID, to, 1<<60))
	for {
		select {
		case m := <-h.messages:
			if m.From == fromID {
				return
			}
		case <-tick.C:
			from.Send(ping(fromID, to, 1<<60))
		case <-deadline:
			t.Fatalf("nothing gets from %d to %d: %+v", fromID, to, from.Stats())
		}
	}
}

// refusals collects what OnRefused tells.
func refusals(o *tcp.Options) <-chan *tcp.Refusal {
	c := make(chan *tcp.Refusal, 100)
	o.OnRefused = func(id protocol.MemberID, r *tcp.Refusal) {
		if r.Member != id {
			panic(fmt.Sprintf("%v was reported for member %d", r, id))
		}
		c <- r
	}
	return c
}
