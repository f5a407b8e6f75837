package sim

import (
	"slices"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/session"
)

// inside is a client with a session: it has one request under way at a time, and sends
// it again, to whatever member, until it has the answer.
type inside struct {
	client uint64 // of its session; 0: it has none
	serial uint64 // of its last request
	asked  write  // the request under way; its value is 0 when there is none
	before write  // the request before, which comes late once more now and then
	opens  uint64 // the request for a session that is under way; 0: none

	// Where an answer is awaited.
	member protocol.MemberID
	life   int
}

// clockEvery is how many ticks a leader lets pass between two readings of its clock.
const clockEvery = 4

// emptyState is what a member without a snapshot begins with.
func (c *Cluster) emptyState() state {
	var s state
	if c.options.Sessions > 0 {
		s.sessions = session.New()
		s.sessions.Mutation = c.options.mutation
	}
	return s
}

// beginSessions lets the clients with sessions act again and again, as long as there are
// faults.
func (cs *clients) beginSessions() {
	for len(cs.inside) < cs.c.options.Sessions {
		cs.inside = append(cs.inside, &inside{})
	}
	for _, k := range cs.inside {
		cs.actLater(k)
	}
}

func (cs *clients) actLater(k *inside) {
	this := cs.c.faults.phase
	cs.c.clock.after(cs.sr.between(2*Millisecond, 40*Millisecond), func() {
		if f := &cs.c.faults; f.over || f.phase != this {
			return
		}
		cs.actLater(k)
		up := cs.c.up()
		if len(up) == 0 {
			return
		}
		m := pick(cs.sr, up)
		m.after(0, func() { cs.act(k, m) })
	})
}

// act sends what the client has to say to a member: for the first time, or once more.
func (cs *clients) act(k *inside, m *member) {
	switch {
	case k.client == 0:
		cs.openSession(k, m)
	case k.asked.value == 0:
		k.serial++
		k.asked = write{register: cs.sr.IntN(registers), client: k.client, serial: k.serial}
		k.asked.value = cs.remember(Operation{Member: m.id, Register: k.asked.register, life: m.life, session: true})
		cs.history[len(cs.history)-1].Value = k.asked.value
		if work := &cs.c.work; work.Workload != nil {
			k.asked.command = work.Command(work.r.Rand)
		}
		cs.ask(k, m)
	case k.before.value != 0 && cs.sr.percent(15):
		m.propose(protocol.EntryCommand, k.before.encode())
	case cs.sr.percent(10):
		cs.change(m, protocol.SessionChange{Op: protocol.SessionKeep, Clients: []uint64{k.client}})
	default:
		cs.c.coverage.AskedAgain++
		cs.ask(k, m)
	}
}

func (cs *clients) ask(k *inside, m *member) {
	if op := &cs.history[cs.place[k.asked.value]]; cs.open[k.asked.value] {
		op.Member, op.life = m.id, m.life
	}
	k.member, k.life = m.id, m.life
	m.propose(protocol.EntryCommand, k.asked.encode())
}

func (cs *clients) openSession(k *inside, m *member) {
	k.member, k.life = m.id, m.life
	k.opens = cs.change(m, protocol.SessionChange{Op: protocol.SessionOpen, Timeout: uint64(cs.c.options.SessionTimeout / Millisecond)})
}

// change proposes an entry about sessions and gives the value that stands for it.
func (cs *clients) change(m *member, s protocol.SessionChange) uint64 {
	cs.last++
	value := cs.last
	m.propose(protocol.EntrySession, change{s, value}.encode())
	return value
}

// readClock lets a leader read its clock into the log.
func (m *member) readClock() {
	if m.c.options.Sessions == 0 || m.raft == nil || m.role != replica.Leader {
		return
	}
	if m.ticks%clockEvery == 0 {
		local := Time(m.ticks) * tickInterval / Millisecond
		m.c.clients.change(m, protocol.SessionChange{Op: protocol.SessionClock, Clock: uint64(local)})
	}
}

// inSession reports whether the value stands for a request of a client with a session.
func (cs *clients) inSession(value uint64) bool {
	at, ok := cs.place[value]
	return !ok || cs.history[at].session
}

// answered gives a client what a member made of its request, and reports whether that
// is an answer. The first answer is the answer to every duplicate.
func (cs *clients) answered(m *member, w write, o outcome) bool {
	var k *inside
	for _, x := range cs.inside {
		if x.asked.value == w.value {
			k = x
		}
	}
	if k == nil || k.member != m.id || k.life != m.life {
		return false
	}
	switch o.verdict {
	case session.Execute, session.Repeat:
	case session.Unknown:
		cs.c.coverage.SessionsLost++
		*k = inside{}
		return false
	default:
		cs.c.fail(ClientsView, "member %d says of the write %v that it is %v, but the client has asked for one thing after another", m.id, w, o.verdict.Err())
		return false
	}
	if want := cs.c.check.answers[w.value]; o.answer != want {
		cs.c.fail(ClientsView, "member %d answers the write %v with %d, the first answer was %d", m.id, w, o.answer, want)
	}
	k.before, k.asked = k.asked, write{}
	return true
}

// changed tells a client that its session is open.
func (cs *clients) changed(m *member, s change, o outcome) {
	for _, k := range cs.inside {
		if o.opened != 0 && k.opens == s.Value && k.member == m.id && k.life == m.life {
			*k = inside{client: o.opened}
			cs.c.coverage.SessionsOpened++
		}
	}
}

// inSession checks what came of a command in a session, which is applied for the first time
// in the cluster: a session ends only after it was silent for its timeout.
func (k *checker) inSession(e protocol.Entry, w write, o outcome) {
	now := k.tree[e.ID()].born
	switch o.verdict {
	case session.Unknown:
		last, known := k.alive[w.client]
		if known && now-last < k.c.options.SessionTimeout*3/4 {
			k.c.fail(ClientsView, "the session of client %d has expired at index %d, %v after its last sign of life; its timeout is %v", w.client, e.Index, now-last, k.c.options.SessionTimeout)
		}
		return
	case session.Repeat:
		k.c.coverage.Repeated++
	}
	k.alive[w.client] = now
}

// firstChange notes signs of life.
func (k *checker) firstChange(e protocol.Entry, o outcome) {
	now := k.tree[e.ID()].born
	if o.opened != 0 {
		k.alive[o.opened] = now
	}
	if c := decodeChange(e.Payload); c.Op == protocol.SessionKeep {
		for _, id := range c.Clients {
			if !slices.Contains(o.unknown, id) {
				k.alive[id] = now
			}
		}
	}
}
