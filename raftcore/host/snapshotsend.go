package host

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
)

const (
	snapshotChunkBytes = 512 << 10
	// A chunk that is not answered is sent again; after chunkTries the transfer
	// ends and the replica decides whether to begin another.
	chunkTimeout = time.Second
	chunkTries   = 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sends knows the transfers under way, at most one for each follower.
type sends struct {
	mu      sync.Mutex
	waiting map[protocol.MemberID]chan *protocol.SnapshotResponse
}

// send carries the newest snapshot to a follower, beside everything else.
func (s *snapshots) send(to protocol.MemberID, term protocol.Term) {
	s.sends.mu.Lock()
	defer s.sends.mu.Unlock()
	if s.sends.waiting[to] != nil {
		return
	}
	answers := make(chan *protocol.SnapshotResponse, 4)
	s.sends.waiting[to] = answers
	s.h.background.Go(func() {
		last, err := s.transfer(to, term, answers)
		if err != nil {
			s.h.opts.Logger.Info("a snapshot transfer ended early", "to", to, "reason", err.Error())
		}
		s.sends.mu.Lock()
		delete(s.sends.waiting, to)
		s.sends.mu.Unlock()
		s.h.inbox.input(replica.SnapshotSent{To: to, Last: last, OK: err == nil})
	})
}

// answer hands a follower's answer to its transfer; a late one is dropped.
func (s *sends) answer(m protocol.Message, r *protocol.SnapshotResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.waiting[m.From] <- r:
	default:
	}
}

func (s *snapshots) transfer(to protocol.MemberID, term protocol.Term, answers <-chan *protocol.SnapshotResponse) (protocol.EntryID, error) {
	f, meta, err := s.open()
	if err != nil {
		return protocol.EntryID{}, err
	}
	defer f.Close()
	t := chunkTransfer{s: s, to: to, term: term, meta: meta, file: f, answers: answers}
	return meta.Last, t.run()
}

// open gives a snapshot that the log continues; it makes one when there is none.
func (s *snapshots) open() (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	s.files.Lock()
	defer s.files.Unlock()
	meta, ok, err := s.h.opts.Snapshots.Latest()
	if err != nil {
		return nil, meta, err
	}
	if !ok || meta.Last.Index < s.h.opts.Log.State().Base.Index {
		if meta, err = s.fresh(); err != nil {
			return nil, meta, err
		}
	}
	return s.h.opts.Snapshots.Open(meta.Last)
}

// fresh makes a snapshot of the present state. The log cannot tell its term: it may have been
// emptied already for a snapshot that waits to be restored.
func (s *snapshots) fresh() (protocol.SnapshotMeta, error) {
	type frozen struct {
		meta protocol.SnapshotMeta
		snap machine.Snapshot
		err  error
	}
	got := make(chan frozen, 1)
	s.h.applier.do(func(st *state) error {
		snap, err := st.freeze()
		got <- frozen{protocol.SnapshotMeta{Last: s.h.applier.last, Membership: s.h.applier.members}, snap, err}
		return err
	})
	select {
	case f := <-got:
		if f.err != nil {
			return f.meta, f.err
		}
		return f.meta, s.store(f.meta, f.snap)
	case <-s.h.applier.done:
	}
	select {
	case f := <-got:
		if f.err == nil {
			f.snap.Close() //nolint:errcheck // nothing was read from it
		}
	default:
	}
	return protocol.SnapshotMeta{}, errApplierEnded
}

// chunkTransfer sends one snapshot, chunk after chunk; the follower says which byte
// it wants next, so a transfer goes on where an earlier one broke.
type chunkTransfer struct {
	s       *snapshots
	to      protocol.MemberID
	term    protocol.Term
	meta    protocol.SnapshotMeta
	file    io.ReadSeeker
	answers <-chan *protocol.SnapshotResponse
}

func (t *chunkTransfer) run() error {
	offset := int64(0)
	for {
		chunk, err := t.read(offset)
		if err != nil {
			return err
		}
		next, err := t.exchange(chunk)
		if err != nil {
			return err
		}
		if chunk.Done && next == offset+int64(len(chunk.Data)) {
			return nil
		}
		if next < 0 || next > t.meta.Size {
			return fmt.Errorf("member %d wants byte %d of a snapshot of %d bytes", t.to, next, t.meta.Size)
		}
		offset = next
	}
}

func (t *chunkTransfer) read(offset int64) (*protocol.SnapshotRequest, error) {
	if _, err := t.file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	data := make([]byte, min(snapshotChunkBytes, t.meta.Size-offset))
	if _, err := io.ReadFull(t.file, data); err != nil {
		return nil, err
	}
	return &protocol.SnapshotRequest{
		Meta: t.meta, Offset: offset, Data: data,
		Checksum: crc32.Checksum(data, castagnoli),
		Done:     offset+int64(len(data)) == t.meta.Size,
	}, nil
}

var (
	errNoAnswer     = errors.New("the follower does not answer")
	errDeposed      = errors.New("this member does not lead any more in the term of the transfer")
	errApplierEnded = errors.New("this member is closed or fenced, and makes no snapshot")
)

// exchange sends a chunk until it is answered, and gives the byte wanted next.
func (t *chunkTransfer) exchange(c *protocol.SnapshotRequest) (int64, error) {
	for range chunkTries {
		if t.s.h.Fault() != nil {
			return 0, ErrFenced
		}
		if st := t.s.h.State(); st.Role != replica.Leader || st.Term != t.term {
			return 0, errDeposed
		}
		t.s.h.comms.Send([]protocol.Message{{From: t.s.h.opts.ID, To: t.to, Term: t.term, Body: c}})
		ctx, cancel := context.WithTimeout(context.Background(), chunkTimeout)
		next, err := t.answer(ctx)
		cancel()
		if !errors.Is(err, errNoAnswer) {
			return next, err
		}
	}
	return 0, errNoAnswer
}

func (t *chunkTransfer) answer(ctx context.Context) (int64, error) {
	for {
		select {
		case r := <-t.answers:
			if r.Last == t.meta.Last {
				return r.Offset, nil
			}
		case <-ctx.Done():
			return 0, errNoAnswer
		case <-t.s.stop:
			return 0, ErrClosed
		}
	}
}
