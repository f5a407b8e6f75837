package tcp_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// TestRefusals: member 1 calls somebody who does not want it. It learns why, says so
// once although it tries again and again, and nothing arrives.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(caller, called *tcp.Options)
		reason tcp.Reason
		text   string
	}{
		{
			"another cluster", func(a, b *tcp.Options) { b.ClusterID = "other" }, tcp.ReasonCluster,
			`you belong to cluster "test"; this member belongs to "other"`,
		},
		{
			"another member", func(a, b *tcp.Options) { b.Self = 3 }, tcp.ReasonMember,
			"you mean member 2; this is member 3: check the peers' addresses",
		},
		{
			"another serializer", func(a, b *tcp.Options) { b.Serializer = jsonSerializer{} }, tcp.ReasonSerializer,
			`you encode messages as "msgpack/1"; this member reads "json"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			caller, called := options(1), options(2)
			caller.MaxBackoff = 10 * time.Millisecond
			c.change(&caller, &called)
			logged := &lines{}
			caller.Logger = funcr.New(logged.add, funcr.Options{})
			told := refusals(&caller)
			inbox := newSink()
			b, address := start(t, called, inbox)
			a, _ := start(t, caller, newSink())
			a.SetPeers(map[protocol.MemberID]string{2: address})
			a.Send(ping(1, 2, 1))
			r := next(t, told, "the refusal")
			if r.Reason != c.reason || r.Message != c.text || r.Member != 2 || r.Address != address || r.Local {
				t.Errorf("refused with %+v", r)
			}
			waitFor(t, func() bool { return a.Stats().RefusedBy[c.reason] >= 3 })
			if n := logged.count("refused: no connection with a peer"); n != 1 || len(told) > 0 {
				t.Errorf("the same refusal was logged %d times and told %d times more", n, len(told))
			}
			waitFor(t, func() bool { return b.Stats().Refused[c.reason] >= 3 })
			if st := b.Stats(); st.Received > 0 || len(inbox.messages) > 0 {
				t.Errorf("a message got through: %+v", st)
			}
		})
	}
}

// waitFor polls a counter.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain")
		}
	}
}

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) add(_, args string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, args)
}

func (l *lines) count(s string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.text {
		if strings.Contains(x, s) {
			n++
		}
	}
	return n
}

// newer sends messages of a kind that nobody knows yet.
type newer struct{ codec.Msgpack }

func (newer) EncodeMessage(dst []byte, m protocol.Message) (codec.Encoded, error) {
	return codec.Encoded{Bytes: append(dst, 0x96, 1, 99, byte(m.From), byte(m.To), 1, 0x90)}, nil
}

// TestANewerMemberLearnsThatItIsNotUnderstood: also when the connection stood for long.
func TestANewerMemberLearnsThatItIsNotUnderstood(t *testing.T) {
	_, address := start(t, options(2), newSink())
	o := options(1)
	o.Serializer = newer{}
	o.MinBackoff, o.MaxBackoff = 1, 1 // any time is long
	told := refusals(&o)
	a, _ := start(t, o, newSink())
	a.SetPeers(map[protocol.MemberID]string{2: address})
	waitFor(t, func() bool { return len(a.Stats().Connected) == 1 })
	a.Send(ping(1, 2, 1))
	if r := next(t, told, "the refusal"); r.Reason != tcp.ReasonMessage || !strings.Contains(r.Message, "message kind 99") {
		t.Errorf("told %v", r)
	}
}

// TestANewConnectionReplacesTheOlder: each ends with one Disconnected, the older first.
func TestANewConnectionReplacesTheOlder(t *testing.T) {
	inbox := newSink()
	_, address := start(t, options(2), inbox)
	older, _, _ := call(t, address, helloFrame(1, 1, 2, ""))
	if _, err := older.Write(frame(4, encoded(t, ping(1, 2, 1)[0]))); err != nil {
		t.Fatal(err)
	}
	next(t, inbox.messages, "the message of the older connection")
	newer, _, _ := call(t, address, helloFrame(1, 1, 2, ""))
	if id := next(t, inbox.disconnected, "Disconnected for the older"); id != 1 {
		t.Errorf("Disconnected(%d)", id)
	}
	if _, err := older.Read(make([]byte, 1)); err == nil {
		t.Error("the older connection still stands")
	}
	if _, err := newer.Write(frame(4, encoded(t, ping(1, 2, 2)[0]))); err != nil {
		t.Fatal(err)
	}
	next(t, inbox.messages, "the message of the newer connection")
	newer.Close()
	next(t, inbox.disconnected, "Disconnected for the newer")
	if len(inbox.disconnected) > 0 {
		t.Error("Disconnected was called too often")
	}
}

// slow is a Handler that waits in Receive until it is let go.
type slow struct {
	sink
	entered, release chan struct{}
}

func (s *slow) Receive(ms []protocol.Message) {
	s.entered <- struct{}{}
	<-s.release
	s.sink.Receive(ms)
}

// TestANewConnectionWaitsForTheOlder: the handler is never called for one sender by two
// goroutines, and what the older connection brought comes first.
func TestANewConnectionWaitsForTheOlder(t *testing.T) {
	inbox := &slow{*newSink(), make(chan struct{}, 10), make(chan struct{})}
	_, address := start(t, options(2), inbox)
	release := sync.OnceFunc(func() { close(inbox.release) })
	defer release()
	older, _, _ := call(t, address, helloFrame(1, 1, 2, ""))
	if _, err := older.Write(frame(4, encoded(t, ping(1, 2, 1)[0]))); err != nil {
		t.Fatal(err)
	}
	next(t, inbox.entered, "the call for the older connection")
	newer, _, _ := call(t, address, helloFrame(1, 1, 2, ""))
	if _, err := newer.Write(frame(4, encoded(t, ping(1, 2, 2)[0]))); err != nil {
		t.Fatal(err)
	}
	if _, err := older.Read(make([]byte, 1)); err == nil { // until it is hung up on
		t.Fatal("the older connection says something")
	}
	select {
	case <-inbox.entered:
		t.Fatal("Receive was called while another call for the same member was going on")
	case <-time.After(20 * time.Millisecond): // enough where it is wrong; harmless where it is right
	}
	release()
	for want := uint64(1); want <= 2; want++ {
		if m := next(t, inbox.messages, "a message"); m.Body.(*protocol.ReadRequest).ID != want {
			t.Errorf("got %v instead of message %d", m.Body, want)
		}
	}
}

func TestCloseIsNoDisconnection(t *testing.T) {
	inbox := newSink()
	b, address := start(t, options(2), inbox)
	a, _ := start(t, options(1), newSink())
	a.SetPeers(map[protocol.MemberID]string{2: address})
	connect(t, a, 1, 2, inbox)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if len(inbox.disconnected) > 0 {
		t.Error("a member that closes was told that another one may have ended")
	}
}

func TestASilentCallerIsHungUpOn(t *testing.T) {
	o := options(2)
	o.HandshakeTimeout = 20 * time.Millisecond
	_, address := start(t, o, newSink())
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, change := range map[string]func(*tcp.Options){
		"Self is 0": func(o *tcp.Options) { o.Self = 0 },
		"ClusterID has 0 bytes, must have 1 to 1024":                            func(o *tcp.Options) { o.ClusterID = "" },
		"neither Listener nor ListenAddr is set":                                func(o *tcp.Options) { o.ListenAddr = "" },
		"Serializer is not set":                                                 func(o *tcp.Options) { o.Serializer = nil },
		`the serializer "identity" makes no bytes, so it cannot serve a socket`: func(o *tcp.Options) { o.Serializer = codec.Identity{} },
		"TLS needs both Server and Client":                                      func(o *tcp.Options) { o.TLS = &tcp.TLS{} },
		"MaxFrameBytes is -1, must be 1 to":                                     func(o *tcp.Options) { o.MaxFrameBytes = -1 },
		"listening for peers":                                                   func(o *tcp.Options) { o.ListenAddr = "256.0.0.1:x" },
	} {
		o := options(1)
		change(&o)
		tr, err := tcp.New(o, newSink())
		if err == nil {
			tr.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v instead of %q", err, want)
		}
	}
}

// TestALargeMessageIsDroppedAlone: what is too long for a frame is counted, the rest
// arrives.
func TestALargeMessageIsDroppedAlone(t *testing.T) {
	inbox := newSink()
	_, address := start(t, options(2), inbox)
	o := options(1)
	o.MaxFrameBytes = 1000
	a, _ := start(t, o, newSink())
	a.SetPeers(map[protocol.MemberID]string{2: address})
	connect(t, a, 1, 2, inbox)
	before := a.Stats().Dropped
	big := protocol.Message{From: 1, To: 2, Body: &protocol.Forward{Payloads: [][]byte{make([]byte, 1000)}}}
	none := protocol.Message{From: 1, To: 2}
	a.Send([]protocol.Message{big, none, ping(1, 2, 7)[0]})
	for {
		m := next(t, inbox.messages, "the small message")
		if b, ok := m.Body.(*protocol.ReadRequest); !ok {
			t.Fatalf("a message of 1000 bytes arrived: %v", m.Body.Kind())
		} else if b.ID == 7 {
			break
		}
	}
	if st := a.Stats(); st.Dropped != before+2 {
		t.Errorf("dropped %d", st.Dropped-before)
	}
}

// TestCloseInterruptsADial: Close does not wait for a network that says nothing.
func TestCloseInterruptsADial(t *testing.T) {
	o := options(1)
	dialling := make(chan struct{}, 10)
	o.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
		dialling <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	o.DialTimeout = time.Hour
	a, _ := start(t, o, newSink())
	a.SetPeers(map[protocol.MemberID]string{2: "nowhere:1"})
	next(t, dialling, "a dial")
	closed := make(chan error)
	go func() { closed <- a.Close() }()
	if err := next(t, closed, "the end of Close"); err != nil {
		t.Error(err)
	}
}
