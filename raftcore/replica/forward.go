package replica

import "github.com/quorate/quorate/raftcore/protocol"

// maxForwards bounds how many Forwards a follower remembers; their bytes are bounded by
// Config.MaxUncommittedBytes, and none is remembered for longer than an election timeout.
// When an older one is refused its clients find out by waiting, as when a message is
// lost.
const maxForwards = 1024

// forwards are the clients' commands that this follower has sent to the leader of the
// present term, and that may still come back. An answer belongs to the one with its
// number: numbers begin at random for each boot, each counts once, and a new term
// forgets all. So a late or repeated answer gives nothing back a second time.
type forwards struct {
	last  uint64 // the number given out last
	sent  []forward
	bytes int
}

type forward struct {
	id       uint64
	to       protocol.MemberID
	kind     protocol.EntryKind
	payloads [][]byte
	bytes    int
	ticks    int
}

// forwarded reports whether clients of a follower may propose the kind.
func forwarded(kind protocol.EntryKind) bool {
	return kind == protocol.EntryCommand || kind == protocol.EntrySession
}

// forward sends clients' proposals to the leader and remembers them.
func (r *Replica) forward(kind protocol.EntryKind, payloads [][]byte) {
	q := &r.forwards
	q.last++
	if q.last == 0 {
		q.last++ // 0 says: no answer is wanted
	}
	f := forward{id: q.last, to: r.leader, kind: kind, payloads: payloads}
	for _, p := range payloads {
		f.bytes += len(p)
	}
	q.sent, q.bytes = append(q.sent, f), q.bytes+f.bytes
	for len(q.sent) > maxForwards || q.bytes > r.cfg.MaxUncommittedBytes {
		q.drop(0)
	}
	m := &protocol.Forward{ID: f.id, Payloads: payloads}
	if kind != protocol.EntryCommand {
		m.As = kind
	}
	r.send(r.leader, m)
}

func (q *forwards) drop(i int) {
	q.bytes -= q.sent[i].bytes
	n := copy(q.sent[i:], q.sent[i+1:])
	q.sent[i+n] = forward{}
	q.sent = q.sent[:i+n]
}

// forget drops all: in another term no answer to them can come.
func (q *forwards) forget() {
	clear(q.sent)
	q.sent, q.bytes = q.sent[:0], 0
}

// expire drops what an answer would have come to by now. The oldest are in front.
func (q *forwards) expire(ticks int) {
	for i := range q.sent {
		q.sent[i].ticks++
	}
	for len(q.sent) > 0 && q.sent[0].ticks >= ticks {
		q.drop(0)
	}
}

// takeForward takes what clients of a follower propose, and gives back what it cannot.
func (r *Replica) takeForward(m protocol.Message) {
	f := m.Body.(*protocol.Forward)
	kind := protocol.EntryCommand
	if f.As == protocol.EntrySession {
		kind = f.As
	}
	taken, why := r.takeOwn(kind, f.Payloads)
	if p := r.follower(m.From); p != nil && taken > 0 {
		p.Awaits = r.log.last
	}
	if taken < len(f.Payloads) {
		r.refuseTo(m.From, f.ID, taken, why)
	}
}

// refuseForward answers one that takes this member for the leader of the term, which it
// was and never is again in this term: the commands cannot become entries any more.
func (r *Replica) refuseForward(m protocol.Message) {
	r.refuseTo(m.From, m.Body.(*protocol.Forward).ID, 0, NoLeader)
}

func (r *Replica) refuseTo(to protocol.MemberID, id uint64, taken int, why RefusalReason) {
	if id != 0 {
		r.send(to, &protocol.ForwardRefused{ID: id, Taken: taken, Reason: why})
	}
}

// takeRefusal gives back what the leader did not take.
func (r *Replica) takeRefusal(m protocol.Message) {
	a := m.Body.(*protocol.ForwardRefused)
	q := &r.forwards
	for i, f := range q.sent {
		if f.id != a.ID || f.to != m.From || a.Taken < 0 || a.Taken >= len(f.payloads) {
			continue
		}
		q.drop(i)
		r.refuse(a.Reason, f.kind, f.payloads[a.Taken:])
		return
	}
}
