package host

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage"
)

// incoming is a snapshot that is arriving, from one leadership. Another member's snapshot of
// the same entry may consist of other bytes: its leader goes on with it only after it has
// seen by the digest that they are the same.
type incoming struct {
	from   protocol.MemberID
	term   protocol.Term
	meta   protocol.SnapshotMeta
	writer storage.SnapshotWriter
	offset int64     // bytes that have arrived
	sum    hash.Hash // SHA-256 of them
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

// place says what a chunk is to what has arrived.
type place uint8

const (
	further place = iota // of the same leadership: taken if it is the next one
	asking               // the first one of an attempt, which asks how much is here
	anew                 // of another snapshot, or of a leader that has other bytes
)

func (in *incoming) place(m protocol.Message, c *protocol.SnapshotRequest) place {
	states := len(c.Prefix) > 0
	switch {
	case in == nil, in.meta.Last != c.Meta.Last, in.meta.Size != c.Meta.Size:
		return anew
	case in.offset == c.Offset && (in.offset == 0 || states && bytes.Equal(c.Prefix, in.sum.Sum(nil))):
		in.from, in.term = m.From, m.Term
		return further
	case states && c.Offset == 0:
		return anew
	case c.Offset == 0:
		return asking
	case in.from == m.From && in.term == m.Term:
		return further
	}
	return anew
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
				s.announce(m, c)
				continue
			}
			var err error
			var taken bool
			if in, taken, err = s.chunk(in, m, c); err != nil {
				abort(in)
				in = nil
				if !s.h.snapshotFailed("writing an arriving snapshot", err) {
					return
				}
				continue // no answer: the leader tries again after a while, not at once
			}
			if in.complete(c) {
				finished = in.meta.Last
				in = nil
				s.announce(m, c)
				continue
			}
			s.respond(m, in.response(c, taken))
		}
	}
}

// chunk adds a chunk if it is the one that is wanted next, and commits the snapshot
// after the last one. A chunk that has been added before counts as taken.
func (s *snapshots) chunk(in *incoming, m protocol.Message, c *protocol.SnapshotRequest) (_ *incoming, taken bool, err error) {
	switch in.place(m, c) {
	case asking:
		return in, false, nil
	case anew:
		abort(in)
		w, err := s.h.opts.Snapshots.Create(c.Meta)
		if err != nil {
			return nil, false, err
		}
		in = &incoming{from: m.From, term: m.Term, meta: c.Meta, writer: w, sum: sha256.New()}
	}
	if c.Offset != in.offset || crc32.Checksum(c.Data, castagnoli) != c.Checksum {
		return in, in.offset == c.Offset+int64(len(c.Data)), nil
	}
	if _, err := in.writer.Write(c.Data); err != nil {
		return in, false, err
	}
	in.sum.Write(c.Data)
	in.offset += int64(len(c.Data))
	if in.complete(c) {
		return in, true, in.writer.Commit()
	}
	return in, true, nil
}

// complete reports whether the snapshot is whole after its last chunk.
func (in *incoming) complete(last *protocol.SnapshotRequest) bool {
	return last.Done && in.offset == in.meta.Size
}

// response tells what has arrived, after a chunk that was taken or not.
func (in *incoming) response(c *protocol.SnapshotRequest, taken bool) *protocol.SnapshotResponse {
	r := &protocol.SnapshotResponse{Last: c.Meta.Last, Offset: in.offset, Rejected: !taken}
	if !taken {
		r.Digest = in.sum.Sum(nil)
	}
	return r
}

func (s *snapshots) respond(m protocol.Message, r *protocol.SnapshotResponse) {
	if s.h.Fault() == nil {
		s.h.comms.Send([]protocol.Message{{From: s.h.opts.ID, To: m.From, Term: m.Term, Body: r}})
	}
}

// announce tells the replica of a complete snapshot, and then the leader: what it sends next
// must not find the log as it was before. It may be told twice, when the leader did not get
// the answer; the replica knows what it has.
func (s *snapshots) announce(m protocol.Message, c *protocol.SnapshotRequest) {
	s.h.inbox.put(func(w *work) {
		w.calls = append(w.calls, func(*replica.Replica) {
			s.h.step(replica.SnapshotReceived{From: m.From, Term: m.Term, Meta: c.Meta})
			end := c.Offset + int64(len(c.Data))
			s.respond(m, &protocol.SnapshotResponse{Last: c.Meta.Last, Offset: c.Meta.Size, Rejected: end != c.Meta.Size})
		})
	})
}

func abort(in *incoming) {
	if in != nil {
		in.writer.Abort() //nolint:errcheck // leftovers are removed when the storage is opened
	}
}
