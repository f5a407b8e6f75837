package tcp

import (
	"sync/atomic"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Stats are counts since the start.
type Stats struct {
	Sent, Received           uint64              // messages
	SentBytes, ReceivedBytes uint64              // frames, without TLS
	Writes, Reads            uint64              // calls of the connections
	Dropped                  uint64              // messages that were not sent
	Connects                 uint64              // outgoing connections that were welcomed
	DialFailures             uint64              // refusals not counted
	Disconnects              uint64              // incoming connections that broke
	RefusedBy                map[Reason]uint64   // peers that refused us
	Refused                  map[Reason]uint64   // peers that we refused
	Connected                []protocol.MemberID // outgoing connections that stand, ascending
}

type counters struct {
	sent, received, sentBytes, receivedBytes, writes, reads atomic.Uint64
	dropped, connects, dialFailures, disconnects            atomic.Uint64
	refusedBy, refused                                      [256]atomic.Uint64 // by Reason
}

func (c *counters) stats() Stats {
	s := Stats{
		Sent: c.sent.Load(), Received: c.received.Load(),
		SentBytes: c.sentBytes.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Writes: c.writes.Load(), Reads: c.reads.Load(),
		Dropped: c.dropped.Load(), Connects: c.connects.Load(),
		DialFailures: c.dialFailures.Load(), Disconnects: c.disconnects.Load(),
		RefusedBy: map[Reason]uint64{}, Refused: map[Reason]uint64{},
	}
	for _, r := range Reasons() {
		s.RefusedBy[r] = c.refusedBy[r].Load()
		s.Refused[r] = c.refused[r].Load()
	}
	return s
}
