package tcp_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// counter is a Handler that counts, and tells when a number was reached.
type counter struct {
	got, want atomic.Int64
	reached   chan struct{}
	each      func(protocol.Message)
}

func newCounter() *counter { return &counter{reached: make(chan struct{}, 1)} }

func (c *counter) Receive(ms []protocol.Message) {
	if c.each != nil {
		for _, m := range ms {
			c.each(m)
		}
	}
	if c.got.Add(int64(len(ms))) >= c.want.Load() {
		select {
		case c.reached <- struct{}{}:
		default:
		}
	}
}

func (c *counter) Disconnected(protocol.MemberID) {}

func (c *counter) wait(n int64) {
	c.want.Store(n)
	for c.got.Load() < n {
		<-c.reached
	}
}

func appendRequest(entries, size int) *protocol.AppendRequest {
	b := &protocol.AppendRequest{Prev: protocol.EntryID{Term: 7, Index: 123456}, Commit: 123400}
	for i := range entries {
		b.Entries = append(b.Entries, protocol.Entry{Index: protocol.Index(123457 + i), Term: 7, Kind: protocol.EntryCommand, Payload: make([]byte, size)})
	}
	return b
}

// BenchmarkOneWay sends batches and waits for each: messages a second, writes and
// reads a message.
func BenchmarkOneWay(b *testing.B) {
	for _, c := range []struct{ batch, entries, size int }{
		{1, 1, 128}, {16, 1, 128}, {64, 1, 128}, {256, 1, 128}, {1, 64, 128}, {1, 64, 4096},
	} {
		b.Run(fmt.Sprintf("batch=%d/entries=%d/size=%d", c.batch, c.entries, c.size), func(b *testing.B) {
			inbox := newCounter()
			to, address := start(b, options(2), inbox)
			from, _ := start(b, options(1), newCounter())
			from.SetPeers(map[protocol.MemberID]string{2: address})
			await(b, from)
			batch := make([]protocol.Message, c.batch)
			for i := range batch {
				batch[i] = protocol.Message{From: 1, To: 2, Term: 7, Body: appendRequest(c.entries, c.size)}
			}
			b.ReportAllocs()
			b.SetBytes(int64(c.entries * c.size))
			b.ResetTimer()
			sent := int64(0)
			for sent < int64(b.N) {
				from.Send(batch)
				sent += int64(len(batch))
				inbox.wait(sent)
			}
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(from.Stats().Writes)/float64(sent), "writes/message")
			b.ReportMetric(float64(to.Stats().Reads)/float64(sent), "reads/message")
		})
	}
}

// await waits until the connection stands.
func await(b *testing.B, t *tcp.Transport) {
	for len(t.Stats().Connected) == 0 {
		select {
		case <-b.Context().Done():
			b.Fatal("no connection")
		default:
		}
	}
}

// BenchmarkRoundTrip is an AppendRequest with one entry, answered.
func BenchmarkRoundTrip(b *testing.B) {
	var follower *tcp.Transport
	echo, inbox := newCounter(), newCounter()
	echo.each = func(protocol.Message) {
		follower.Send([]protocol.Message{{From: 2, To: 1, Term: 7, Body: &protocol.AppendResponse{Match: 123457}}})
	}
	follower, a2 := start(b, options(2), echo)
	leader, a1 := start(b, options(1), inbox)
	leader.SetPeers(map[protocol.MemberID]string{2: a2})
	follower.SetPeers(map[protocol.MemberID]string{1: a1})
	await(b, leader)
	await(b, follower)
	m := []protocol.Message{{From: 1, To: 2, Term: 7, Body: appendRequest(1, 128)}}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		leader.Send(m)
		inbox.wait(int64(i + 1))
	}
}
