package host

import (
	"hash/crc32"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// incoming is a snapshot that is arriving, from one leadership: another member's snapshot of
// the same entry may consist of other bytes.
type incoming struct {
	from   protocol.MemberID
	term   protocol.Term
	meta   protocol.SnapshotMeta
	writer storage.SnapshotWriter
	offset int64 // bytes that have arrived
}

// take is called from the transport. A chunk that finds the queue full is dropped;
// the leader sends it again.
func (s *snapshots) take(m protocol.Message) {
	if r, ok := m.Body.(*protocol.SnapshotResponse); ok {
		s.sends.answer(m, r)
		return
	}
	select {
	case s.arriving <- m:
	default:
	}
}

func (in *incoming) continues(m protocol.Message, c *protocol.SnapshotRequest) bool {
	return in != nil && in.from == m.From && in.term == m.Term && in.meta.Last == c.Meta.Last
}

// receive writes chunks as they arrive, apart from the loop and the transport. A leader that
// was deposed gets no answer: it must not disturb what its successor sends.
func (s *snapshots) receive() {
	var in *incoming
	var finished protocol.EntryID
	var newest protocol.Term
	for {
		select {
		case <-s.stop:
			abort(in)
			return
		case m := <-s.arriving:
			if m.Term < newest {
				continue
			}
			newest = m.Term
			c := m.Body.(*protocol.SnapshotRequest)
			if c.Meta.Last == finished {
				s.respond(m, c, c.Meta.Size, false)
				s.announce(m, c)
				continue
			}
			var err error
			if in, err = s.chunk(in, m, c); err != nil {
				abort(in)
				s.h.storageFailed("writing an arriving snapshot", err)
				return
			}
			s.respond(m, c, in.offset, in.offset != c.Offset+int64(len(c.Data)))
			if in.complete(c) {
				finished = in.meta.Last
				in = nil
				s.announce(m, c)
			}
		}
	}
}

// chunk adds a chunk if it is the one that is wanted next, and commits the snapshot
// after the last one.
func (s *snapshots) chunk(in *incoming, m protocol.Message, c *protocol.SnapshotRequest) (*incoming, error) {
	if !in.continues(m, c) {
		abort(in)
		w, err := s.h.opts.Snapshots.Create(c.Meta)
		if err != nil {
			return nil, err
		}
		in = &incoming{from: m.From, term: m.Term, meta: c.Meta, writer: w}
	}
	if c.Offset != in.offset || crc32.Checksum(c.Data, castagnoli) != c.Checksum {
		return in, nil
	}
	if _, err := in.writer.Write(c.Data); err != nil {
		return in, err
	}
	in.offset += int64(len(c.Data))
	if in.complete(c) {
		return in, in.writer.Commit()
	}
	return in, nil
}

// complete reports whether the snapshot is whole after its last chunk.
func (in *incoming) complete(last *protocol.SnapshotRequest) bool {
	return last.Done && in.offset == in.meta.Size
}

func (s *snapshots) respond(m protocol.Message, c *protocol.SnapshotRequest, offset int64, rejected bool) {
	if s.h.Fault() != nil {
		return
	}
	s.h.comms.Send([]protocol.Message{{
		From: s.h.opts.ID, To: m.From, Term: m.Term,
		Body: &protocol.SnapshotResponse{Last: c.Meta.Last, Offset: offset, Rejected: rejected},
	}})
}

// announce tells the replica of a complete snapshot. It may be told twice, when the
// leader did not get the answer; the replica knows what it has.
func (s *snapshots) announce(m protocol.Message, c *protocol.SnapshotRequest) {
	s.h.inbox.input(replica.SnapshotReceived{From: m.From, Term: m.Term, Meta: c.Meta})
}

func abort(in *incoming) {
	if in != nil {
		in.writer.Abort() //nolint:errcheck // leftovers are removed when the storage is opened
	}
}
