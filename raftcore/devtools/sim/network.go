package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// network carries messages between the members, and knows how long things take.
type network struct {
	c     *Cluster
	r     random
	disks random
	calm  bool // no more faults

	// apart[a][b]: nothing gets from a to b. era[a][b] counts the breaks of the
	// connection: what was sent before a break does not arrive after it.
	apart [][]bool
	era   [][]int
}

func newNetwork(c *Cluster) network {
	n := network{c: c, r: newRandom(c.options.Seed, streamNetwork), disks: newRandom(c.options.Seed, streamDisks)}
	const size = mostMembers
	for range size {
		n.apart = append(n.apart, make([]bool, size))
		n.era = append(n.era, make([]int, size))
	}
	return n
}

func (n *network) has(f Faults) bool { return !n.calm && n.c.options.Faults&f != 0 }

func (n *network) cut(from, to *member) { n.apart[from.id-1][to.id-1] = true }

func (n *network) cutBoth(a, b *member) {
	n.cut(a, b)
	n.cut(b, a)
}

func (n *network) isCut(from, to *member) bool { return n.apart[from.id-1][to.id-1] }

func (n *network) heal() {
	for i := range n.apart {
		clear(n.apart[i])
	}
}

// send puts messages on their way.
func (n *network) send(from *member, messages []protocol.Message) {
	for _, msg := range messages {
		msg = n.damage(msg)
		n.c.observe(Observation{Moment: Left, Member: from.id, Message: msg})
		n.c.check.sending(from, msg)
		n.emit(pauser.Sent, from, msg)
		lost := n.has(Loss) && n.r.percent(n.c.options.LossPercent)
		if lost {
			n.c.struck(Loss)
		}
		if to := n.c.member(msg.To); lost || n.isCut(from, to) {
			n.drop(from, msg)
			continue
		}
		n.carry(from, msg)
		if n.has(Duplication) && n.mayRepeat(msg) && n.r.percent(n.c.options.RepeatPercent) {
			n.c.struck(Duplication)
			n.carry(from, msg)
		}
	}
}

// mayRepeat reports whether a message may arrive twice. Clients' commands without a session
// arrive at most once, as the transport's contract says: a second arrival would be a
// second command.
func (n *network) mayRepeat(msg protocol.Message) bool {
	f, ok := msg.Body.(*protocol.Forward)
	if !ok || f.As == protocol.EntrySession {
		return true
	}
	for _, p := range f.Payloads {
		if decodeWrite(p).client == 0 {
			return false
		}
	}
	return true
}

// damage flips a bit of a snapshot's chunk now and then. Other messages have the checksum of
// their frame, so that a damaged one is a lost one; what a chunk was read from may rot too.
func (n *network) damage(msg protocol.Message) protocol.Message {
	c, ok := msg.Body.(*protocol.SnapshotRequest)
	if !ok || !n.has(Damage) || len(c.Data) == 0 || !n.r.percent(15) {
		return msg
	}
	n.c.struck(Damage)
	bad := *c
	bad.Data = slices.Clone(c.Data)
	bad.Data[n.r.IntN(len(bad.Data))] ^= 1 << n.r.IntN(8)
	msg.Body = &bad
	return msg
}

func (n *network) carry(from *member, msg protocol.Message) {
	to := n.c.member(msg.To)
	era := n.era[from.id-1][to.id-1]
	n.c.clock.after(n.travelTime(), func() {
		if to.raft == nil || n.isCut(from, to) || era != n.era[from.id-1][to.id-1] {
			n.drop(from, msg)
			return
		}
		to.resume(to.life, func() {
			n.emit(pauser.Arrived, to, msg)
			to.take(msg)
		})
	})
}

func (n *network) drop(from *member, msg protocol.Message) {
	n.c.trace.add(n.c.clock.now, from.id, lost(msg))
	n.c.coverage.Dropped++
	n.emit(pauser.Dropped, from, msg)
}

func (n *network) emit(k pauser.Kind, m *member, msg protocol.Message) {
	if len(n.c.watchers) > 0 {
		n.c.emit(pauser.Event{Kind: k, Member: m.id, Message: msg, Status: m.status()})
	}
}

// broken loses what is under way to and from a member, and tells the others most of
// the time.
func (n *network) broken(m *member) {
	for _, other := range n.c.members {
		if other != m {
			n.breakLink(m, other)
		}
	}
}

// breakLink breaks the connections between two members.
func (n *network) breakLink(a, b *member) {
	for _, link := range [][2]*member{{a, b}, {b, a}} {
		from, to := link[0], link[1]
		n.era[from.id-1][to.id-1]++
		if n.r.percent(70) {
			from.after(n.travelTime(), func() { from.step(replica.Disconnected{Member: to.id}) })
		}
	}
}

// breakCut breaks the connections that cannot carry anything: the ends may notice.
func (n *network) breakCut() {
	for i, a := range n.c.members {
		for _, b := range n.c.members[i+1:] {
			if n.isCut(a, b) && n.isCut(b, a) {
				n.breakLink(a, b)
			}
		}
	}
}

// travelTime draws how long a message takes.
func (n *network) travelTime() Time {
	if n.has(Delay) && n.r.percent(10) {
		n.c.struck(Delay)
		return n.r.between(5*Millisecond, 120*Millisecond)
	}
	if n.has(Delay) {
		return n.r.between(100*Microsecond, 6*Millisecond)
	}
	return n.r.between(500*Microsecond, 600*Microsecond)
}

func (n *network) readFails() bool { return n.has(SlowDisk) && n.disks.percent(5) }

// syncTime draws how long a sync of a disk takes.
func (n *network) syncTime() Time {
	if n.has(SlowDisk) && n.disks.percent(15) {
		n.c.struck(SlowDisk)
		return n.disks.between(5*Millisecond, 150*Millisecond)
	}
	return n.disks.between(50*Microsecond, 2*Millisecond)
}
