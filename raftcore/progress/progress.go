package progress

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
)

// State says how a follower is fed.
type State uint8

// The states.
const (
	// Probe: it is not known where the logs meet; one request is out at a time.
	Probe State = iota
	// Replicate: the logs are known to meet; requests are pipelined, and Next runs
	// ahead of what was answered.
	Replicate
	// Snapshot: what the follower needs was compacted away; a snapshot is on its way.
	Snapshot
)

// String gives the state's name.
func (s State) String() string {
	switch s {
	case Probe:
		return "Probe"
	case Replicate:
		return "Replicate"
	case Snapshot:
		return "Snapshot"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Progress is a leader's view of one follower, for one term of the leader.
//
// Invariants:
//
//  1. Match < Next.
//  2. Match only falls when the follower's life changes (Answered gives NewLife).
//  3. At most Window.Requests requests with entries are unanswered, and, but for the one that
//     crosses the bound, Window.Bytes bytes of entries; none outside Replicate but the
//     one that a Probe has out.
type Progress struct {
	ID    protocol.MemberID
	Match protocol.Index // the follower's durable log equals the leader's up to here (paper: matchIndex)
	Next  protocol.Index // the next entry to send (paper: nextIndex)

	Round      uint64         // highest read round that the follower has echoed
	Silent     int            // ticks since it was last heard
	SentCommit protocol.Index // highest commit index that was sent
	Awaits     protocol.Index // commands that the follower forwarded are among the entries up to here
	Fetching   bool           // entries for it are being read from the log
	Unfit      bool           // it said that it should not lead
	Departing  int            // ticks that a removed member is still fed; 0: it is a member

	state    State
	paused   bool // Probe: wait for an answer, be it to a heartbeat
	window   Window
	inflight []request // the unanswered ones with entries, ascending
	bytes    int       // of their entries

	incarnation protocol.Incarnation
	boot        protocol.Boot
	known       bool                 // incarnation and boot have been heard
	since       uint64               // answers to requests of earlier rounds count for nothing
	first       protocol.Incarnation // of what was heard; stays over new lives
}

// Window bounds what a follower may have unanswered, so that one that takes nothing costs
// no more than that.
type Window struct {
	Requests int // with entries
	Bytes    int // of entries, by Entry.Size; 0: no bound. When less is unanswered, another request may leave
}

type request struct {
	last  protocol.Index
	bytes int
}

// New gives the progress of a follower of which nothing is known.
func New(id protocol.MemberID, next protocol.Index, w Window) Progress {
	return Progress{ID: id, Next: next, window: w, inflight: make([]request, 0, w.Requests)}
}

// State tells how the follower is fed.
func (p *Progress) State() State { return p.state }

// Heard reports whether the follower has answered this leader at all.
func (p *Progress) Heard() bool { return p.known }

// Incarnation gives that of the volume that was heard last; 0 before any was.
func (p *Progress) Incarnation() protocol.Incarnation { return p.incarnation }

// Inflight gives the number of unanswered requests with entries.
func (p *Progress) Inflight() int { return len(p.inflight) }

// InflightBytes gives the bytes of the entries in them.
func (p *Progress) InflightBytes() int { return p.bytes }

// CanSend reports whether another request with entries may leave.
func (p *Progress) CanSend() bool {
	switch p.state {
	case Probe:
		return !p.paused
	case Replicate:
		return len(p.inflight) < p.window.Requests && (p.window.Bytes == 0 || p.bytes < p.window.Bytes)
	}
	return false
}

// Room gives how many bytes of entries the next request should have at most; at least one.
func (p *Progress) Room(most int) int {
	if p.state != Replicate || p.window.Bytes == 0 {
		return most
	}
	return min(most, max(1, p.window.Bytes-p.bytes))
}

// Sent notes that a request with entries up to last, of so many bytes, has left.
func (p *Progress) Sent(last protocol.Index, bytes int) {
	if p.state == Probe {
		p.paused = true
		return
	}
	p.Next = last + 1
	p.inflight, p.bytes = append(p.inflight, request{last, bytes}), p.bytes+bytes
}

// Life is what an answer says about the one who gave it.
type Life uint8

// The lives.
const (
	SameLife Life = iota
	NewLife       // another one than before: what was known is void
	PastLife      // a late answer: it must count for nothing
)

// Answered notes which life of the follower an answer comes from, and which read round
// it echoes. On NewLife the caller resets the progress with Reset.
//
// Lives have no order, and an answer may be late: an unknown life can be newer or older
// than the one that was heard before. Therefore neither is believed until a request that
// was sent after the change is answered.
func (p *Progress) Answered(i protocol.Incarnation, b protocol.Boot, round uint64) Life {
	if p.first == 0 {
		p.first = i
	}
	switch {
	case round < p.since:
		return PastLife
	case p.known && (p.incarnation != i || p.boot != b):
		p.incarnation, p.boot = i, b
		return NewLife
	}
	p.known, p.incarnation, p.boot = true, i, b
	return SameLife
}

// Volume gives the incarnation that was heard first; 0: none yet. One that was heard later is
// that of a volume which took its place.
func (p *Progress) Volume() protocol.Incarnation { return p.first }

// Reset forgets how far the follower had come: it probes at next, and believes only
// answers to requests of the round since or later. keepMatch is for a deliberate bug
// only.
func (p *Progress) Reset(next protocol.Index, since uint64, keepMatch bool) {
	if !keepMatch {
		p.Match = 0
	}
	p.Next, p.since, p.SentCommit = max(next, p.Match+1), since, 0
	p.probe()
	p.paused = true
}

// Acknowledged takes a positive answer. One that covers the probe's previous entry
// shows where the logs meet; any other lets the probe be sent again, since its
// request may be lost.
func (p *Progress) Acknowledged(match protocol.Index) {
	p.Match = max(p.Match, match)
	p.paused = false
	if p.state == Probe && match+1 >= p.Next {
		p.state = Replicate
	}
	p.Next = max(p.Next, p.Match+1)
	n := 0
	for n < len(p.inflight) && p.inflight[n].last <= match {
		p.bytes -= p.inflight[n].bytes
		n++
	}
	p.inflight = slices.Delete(p.inflight, 0, n)
}

// Rejected takes a refusal of a request whose previous entry was at prev; next is
// where the logs may meet. A late or repeated one changes nothing.
func (p *Progress) Rejected(prev, next protocol.Index) {
	if prev <= p.Match || p.state == Snapshot || p.state == Probe && prev != p.Next-1 {
		return
	}
	// At least one step back, so that probing ends; never below what is known to match.
	p.Next = max(p.Match+1, min(next, prev))
	p.probe()
}

// Pause holds a Probe back until the follower answers again, a heartbeat at the latest.
func (p *Progress) Pause() { p.paused = p.state == Probe }

// Lost notes that what is under way will not arrive, as when the connection broke.
func (p *Progress) Lost() {
	if p.state == Replicate {
		p.Next = p.Match + 1
		p.probe()
		p.paused = true
	}
}

// NeedSnapshot notes that a snapshot was asked for.
func (p *Progress) NeedSnapshot() {
	p.state, p.paused = Snapshot, false
	p.inflight, p.bytes = p.inflight[:0], 0
}

// SnapshotDone leaves Snapshot: the logs are thought to meet at next-1.
func (p *Progress) SnapshotDone(next protocol.Index) {
	p.Next = max(next, p.Match+1)
	p.probe()
}

func (p *Progress) probe() {
	p.state, p.paused = Probe, false
	p.inflight, p.bytes = p.inflight[:0], 0
}

// CheckInvariants tells which invariant of Progress does not hold, by its number.
func (p *Progress) CheckInvariants() error {
	if p.Match >= p.Next {
		return fmt.Errorf("progress invariant 1: member %d has match %d, next %d", p.ID, p.Match, p.Next)
	}
	if len(p.inflight) > p.window.Requests || p.state != Replicate && len(p.inflight) > 0 {
		return fmt.Errorf("progress invariant 3: member %d has %d of %d requests in flight in %v", p.ID, len(p.inflight), p.window.Requests, p.state)
	}
	bytes, before := 0, 0
	for _, x := range p.inflight {
		before, bytes = bytes, bytes+x.bytes
	}
	if bytes != p.bytes || p.window.Bytes > 0 && before > 0 && before >= p.window.Bytes {
		return fmt.Errorf("progress invariant 3: member %d has %d bytes in flight, counted as %d, of %d", p.ID, bytes, p.bytes, p.window.Bytes)
	}
	return nil
}
