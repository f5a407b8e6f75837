package sim

import (
	"hash/crc32"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

// A chunk that is not answered is sent again; after chunkTries the transfer ends, and the
// replica decides whether to begin another.
const (
	chunkTimeout = 40 * Millisecond
	chunkTries   = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// transfer carries a snapshot to a follower, chunk after chunk; the follower says which
// byte it wants next, so that a transfer goes on where an earlier one broke.
type transfer struct {
	to     protocol.MemberID
	term   protocol.Term
	meta   protocol.SnapshotMeta
	data   []byte
	offset int
	tries  int
	sent   int // chunks; tells a timeout whether its chunk is still the last one
}

// incoming is a snapshot that is arriving, from one leadership.
type incoming struct {
	from    protocol.MemberID
	term    protocol.Term
	meta    protocol.SnapshotMeta
	data    []byte
	storing bool // all of it is here, and is being made durable
}

// sendSnapshot begins a transfer: of the newest snapshot that is stored, or a fresh one.
func (m *member) sendSnapshot(to protocol.MemberID) {
	if m.sends[to] != nil {
		return
	}
	s := m.disk.snapshot
	if s.meta.Last.Index == 0 || m.c.faults.machines.percent(30) {
		fresh, write := m.freeze()
		fresh.state.frozen = write()
		s = fresh
	}
	data, err := s.state.encode()
	if err != nil {
		m.c.fail(Invariants, "member %d cannot encode its snapshot: %v", m.id, err)
		return
	}
	t := &transfer{to: to, term: m.term, meta: s.meta, data: data}
	t.meta.Size = int64(len(t.data))
	m.sends[to] = t
	m.c.note(m, "sends a snapshot up to %v to member %d", s.meta.Last, to)
	m.sendChunk(t)
}

func (m *member) sendChunk(t *transfer) {
	t.tries++
	if t.tries > chunkTries || m.role != replica.Leader || m.term != t.term {
		m.endTransfer(t, false)
		return
	}
	end := min(len(t.data), t.offset+m.c.options.ChunkBytes)
	data := t.data[t.offset:end:end]
	chunk := &protocol.SnapshotRequest{
		Meta: t.meta, Offset: int64(t.offset), Data: data,
		Checksum: crc32.Checksum(data, castagnoli), Done: end == len(t.data),
	}
	t.sent++
	this := t.sent
	m.after(chunkTimeout, func() {
		if m.sends[t.to] == t && t.sent == this {
			m.sendChunk(t)
		}
	})
	m.c.network.send(m, []protocol.Message{{From: m.id, To: t.to, Term: t.term, Body: chunk}})
}

func (m *member) endTransfer(t *transfer, ok bool) {
	delete(m.sends, t.to)
	m.step(replica.SnapshotSent{To: t.to, Last: t.meta.Last, OK: ok})
}

// chunkAnswered goes on with the byte that the follower wants.
func (m *member) chunkAnswered(from protocol.MemberID, a *protocol.SnapshotResponse) {
	t := m.sends[from]
	switch {
	case t == nil || a.Last != t.meta.Last:
	case a.Offset < 0 || a.Offset > t.meta.Size:
		m.endTransfer(t, false)
	case a.Offset == t.meta.Size:
		m.endTransfer(t, true)
	default:
		if a.Offset != int64(t.offset+m.c.options.ChunkBytes) {
			m.c.coverage.Resumed++
		}
		t.offset, t.tries = int(a.Offset), 0
		m.sendChunk(t)
	}
}

// takeChunk adds a chunk if it is the one that is wanted next. A leader that was deposed
// gets no answer: it must not disturb what its successor sends.
func (m *member) takeChunk(msg protocol.Message, c *protocol.SnapshotRequest) {
	if msg.Term < m.heard {
		return
	}
	m.heard = msg.Term
	if c.Meta.Last == m.received.meta.Last {
		m.answerChunk(msg, c, c.Meta.Size)
		m.step(replica.SnapshotReceived{From: msg.From, Term: msg.Term, Meta: c.Meta})
		return
	}
	in := m.incoming
	if in == nil || in.from != msg.From || in.term != msg.Term || in.meta.Last != c.Meta.Last {
		if in != nil && in.storing {
			return // the leader sends it again
		}
		in = &incoming{from: msg.From, term: msg.Term, meta: c.Meta}
		m.incoming = in
	}
	if in.storing || !m.passes(ChunkTaken) {
		return
	}
	if crc32.Checksum(c.Data, castagnoli) != c.Checksum {
		m.c.coverage.DamagedChunks++
	} else if c.Offset == int64(len(in.data)) {
		in.data = append(in.data, c.Data...)
	}
	if int64(len(in.data)) < in.meta.Size {
		m.answerChunk(msg, c, int64(len(in.data)))
		return
	}
	in.storing = true
	m.after(m.c.network.syncTime(), func() { m.storeSnapshot(msg, c, in) })
}

func (m *member) answerChunk(msg protocol.Message, c *protocol.SnapshotRequest, wanted int64) {
	m.c.network.send(m, []protocol.Message{{From: m.id, To: msg.From, Term: msg.Term, Body: &protocol.SnapshotResponse{
		Last: c.Meta.Last, Offset: wanted, Rejected: wanted != c.Offset+int64(len(c.Data)),
	}}})
}

// storeSnapshot is called when a snapshot that has arrived is durable.
func (m *member) storeSnapshot(msg protocol.Message, last *protocol.SnapshotRequest, in *incoming) {
	s := snapshot{meta: in.meta, state: m.c.emptyState()}
	if err := s.state.decode(in.data); err != nil || s.state.last != s.meta.Last {
		m.c.fail(StateMachineSafety, "member %d stores a snapshot up to %v whose state is that of %v (%v)", m.id, s.meta.Last, s.state.last, err)
		return
	}
	m.incoming, m.received = nil, s
	if s.meta.Last.Index > m.disk.snapshot.meta.Last.Index {
		m.disk.snapshot = s
	}
	if !m.passes(SnapshotStored) {
		return
	}
	m.answerChunk(msg, last, in.meta.Size)
	m.step(replica.SnapshotReceived{From: in.from, Term: in.term, Meta: in.meta})
}
