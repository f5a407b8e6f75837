package sim

import (
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// clients ask random members to write unique values and to read, and remember all
// that they were told.
type clients struct {
	c       *Cluster
	r       random
	sr      random            // of the clients with sessions
	last    uint64            // value or read ID that was given out
	place   map[uint64]int    // value or read ID -> position in history
	open    map[uint64]bool   // nobody has answered yet
	refused map[uint64]bool   // values that were given back
	waiting map[*member][]ask // reads that are confirmed and wait until enough is applied
	history []Operation
	inside  []*inside // clients with sessions
}

// Operation is one request of a client.
type Operation struct {
	Member   protocol.MemberID // that was asked
	Read     bool
	Register int
	Value    uint64 // that was written or read
	Call     Time
	Return   Time // when the client was told; meaningless unless Done
	Done     bool
	Refused  bool           // it was given back and never takes effect
	Index    protocol.Index // of the entry that a write became, once it was committed; 0: never
	Effect   Time           // when the leader committed it

	session bool
	floor   protocol.Index // what was committed when the client asked
	life    int
}

type ask struct {
	id    uint64
	index protocol.Index
}

func newClients(c *Cluster) clients {
	cs := clients{c: c, r: newRandom(c.options.Seed, streamClients), sr: newRandom(c.options.Seed, streamSessions), place: map[uint64]int{}, open: map[uint64]bool{}, refused: map[uint64]bool{}, waiting: map[*member][]ask{}}
	return cs
}

// begin lets clients ask for something again and again, as long as there are faults.
func (cs *clients) begin() {
	if cs.c.options.ClientEvery == 0 {
		return
	}
	this := cs.c.faults.phase
	cs.c.clock.after(cs.r.around(cs.c.options.ClientEvery), func() {
		if f := &cs.c.faults; !f.over && f.phase == this {
			cs.begin()
			cs.request()
		}
	})
}

// History gives what the clients saw, in the order of their calls.
func (c *Cluster) History() []Operation { return c.clients.history }

// request lets a client ask a random member for something.
func (cs *clients) request() {
	up := cs.c.up()
	if len(up) == 0 {
		return
	}
	m := pick(cs.r, up)
	read, n := cs.r.percent(cs.c.options.ReadPercent), 1+cs.r.IntN(3)
	m.after(0, func() {
		if read {
			cs.read(m)
		} else {
			cs.write(m, n)
		}
	})
}

// write proposes unique values for random registers in one batch and gives the last.
func (cs *clients) write(m *member, n int) uint64 {
	var payloads [][]byte
	for range n {
		w := write{register: cs.r.IntN(registers)}
		if work := &cs.c.work; work.Workload != nil {
			w.command = work.Command(work.r.Rand)
		}
		w.value = cs.remember(Operation{Member: m.id, Register: w.register, life: m.life})
		cs.history[len(cs.history)-1].Value = w.value
		payloads = append(payloads, w.encode())
	}
	value := cs.last
	m.propose(protocol.EntryCommand, payloads...)
	return value
}

func (cs *clients) read(m *member) {
	id := cs.remember(Operation{Member: m.id, Read: true, Register: cs.r.IntN(registers), life: m.life})
	m.step(replica.Read{ID: id})
}

func (cs *clients) remember(op Operation) uint64 {
	cs.last++
	op.Call = cs.c.clock.now
	op.floor = protocol.Index(len(cs.c.check.committed))
	cs.place[cs.last], cs.open[cs.last] = len(cs.history), true
	cs.history = append(cs.history, op)
	return cs.last
}

// find gives the open operation with the ID, if this member in this life was asked.
func (cs *clients) find(m *member, id uint64) *Operation {
	if !cs.open[id] {
		return nil
	}
	if op := &cs.history[cs.place[id]]; op.Member == m.id && op.life == m.life {
		return op
	}
	return nil
}

func (cs *clients) finish(id uint64, op *Operation) {
	op.Done, op.Return = true, cs.c.clock.now
	delete(cs.open, id)
}

// executed is called when a write has taken effect: it did so when it was committed.
func (cs *clients) executed(value uint64, at protocol.Index, when Time) {
	op := &cs.history[cs.place[value]]
	op.Index, op.Effect = at, when
}

// applied answers the client whose request it is, if it waits at this member.
func (cs *clients) applied(m *member, e protocol.Entry, o outcome) {
	switch e.Kind {
	case protocol.EntryCommand:
		w := decodeWrite(e.Payload)
		op := cs.find(m, w.value)
		if op == nil || w.client != 0 && !cs.answered(m, w, o) {
			return
		}
		cs.finish(w.value, op)
		cs.c.coverage.Writes++
	case protocol.EntrySession:
		cs.changed(m, decodeChange(e.Payload), o)
	}
}

// confirmed takes a read index. The read must see all that was committed anywhere
// when the client asked, which is what makes it linearizable (thesis section 6.4).
func (cs *clients) confirmed(m *member, r replica.ReadIndex) {
	op := cs.find(m, r.ID)
	if op == nil || !op.Read {
		cs.c.fail(ClientsView, "member %d confirms the read %d, which nobody waits for", m.id, r.ID)
		return
	}
	if r.Index < op.floor {
		cs.c.fail(ClientsView, "member %d serves a read at index %d, though %d was committed when the client asked at %v", m.id, r.Index, op.floor, op.Call)
	}
	cs.waiting[m] = append(cs.waiting[m], ask{r.ID, r.Index})
	cs.release(m)
}

// release answers the reads for which enough is applied now.
func (cs *clients) release(m *member) {
	if len(cs.waiting[m]) == 0 {
		return
	}
	var still []ask
	for _, a := range cs.waiting[m] {
		op := cs.find(m, a.id)
		switch {
		case op == nil:
		case a.index > m.machine.last.Index:
			still = append(still, a)
		default:
			op.Value = m.machine.registers[op.Register]
			cs.c.work.read(m)
			cs.finish(a.id, op)
			cs.c.coverage.Reads++
		}
	}
	cs.waiting[m] = still
}

func (cs *clients) readRefused(id uint64) {
	cs.refuse(id)
	cs.c.coverage.ReadsRefused++
}

func (cs *clients) refuse(id uint64) {
	cs.history[cs.place[id]].Refused = true
	delete(cs.open, id)
}

// writesRefused takes proposals that were given back: they must never take effect.
func (cs *clients) writesRefused(r replica.Refusal) {
	for _, p := range r.Payloads {
		v := decodeWrite(p).value
		if cs.inSession(v) {
			cs.c.coverage.SessionRefused++
			continue // it is asked for again
		}
		cs.refused[v] = true
		cs.refuse(v)
		cs.c.coverage.WritesRefused++
		if at, ok := cs.c.check.values[v]; ok {
			cs.c.fail(ClientsView, "the write of %d is refused, but was applied at index %d", v, at)
		}
	}
}

func (cs *clients) wasRefused(value uint64) bool { return cs.refused[value] }

// crashed forgets the reads that waited at a member. Writes stay open for ever.
func (cs *clients) crashed(m *member) { delete(cs.waiting, m) }
