package host

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
)

// A chunk that is not answered, or is refused, is sent again; after chunkTries the attempt
// ends and the replica decides whether to begin another.
const (
	chunkTimeout = time.Second
	chunkTries   = 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sendChunks sends the snapshot, one chunk at a time. The follower says which byte it wants
// next: an attempt goes on where an earlier one broke off, also one of another leader
// when the bytes before are the same.
func (t *transfer) sendChunks() error {
	var prefix []byte
	offset, refusals := int64(0), 0
	for {
		chunk, err := t.read(offset)
		if err != nil {
			return err
		}
		chunk.Prefix = prefix
		a, err := t.exchange(chunk)
		if err != nil {
			return err
		}
		end := offset + int64(len(chunk.Data))
		if a.Offset == end && !a.Rejected {
			if chunk.Done {
				return nil
			}
			offset, prefix, refusals = end, nil, 0
			continue
		}
		if refusals++; refusals > chunkTries {
			return errNoProgress
		}
		if refusals > 1 && !t.pause() {
			return ErrClosed
		}
		if offset, prefix, err = t.agree(a); err != nil {
			return err
		}
	}
}

// pause gives a follower time that refuses again, as for want of space on its disk.
func (t *transfer) pause() bool {
	select {
	case <-t.s.stop:
		return false
	case <-time.After(chunkTimeout / chunkTries):
		return true
	}
}

// agree gives the byte to go on with, and the digest of those before it: the follower has
// them from another attempt, or of another leader, and they may be others than ours.
func (t *transfer) agree(a *protocol.SnapshotResponse) (int64, []byte, error) {
	if a.Offset < 0 || a.Offset > t.meta.Size {
		return 0, nil, fmt.Errorf("member %d wants byte %d of a snapshot of %d bytes", t.to, a.Offset, t.meta.Size)
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return 0, nil, err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, t.file, a.Offset); err != nil {
		return 0, nil, err
	}
	if digest := sum.Sum(nil); len(a.Digest) == 0 || bytes.Equal(digest, a.Digest) {
		return a.Offset, digest, nil
	}
	return 0, nothing[:], nil
}

func (t *transfer) read(offset int64) (*protocol.SnapshotRequest, error) {
	if _, err := t.file.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	data := make([]byte, min(int64(t.s.h.opts.SnapshotChunkBytes), t.meta.Size-offset))
	if _, err := io.ReadFull(t.file, data); err != nil {
		return nil, err
	}
	return &protocol.SnapshotRequest{
		Meta: t.meta, Offset: offset, Data: data,
		Checksum: crc32.Checksum(data, castagnoli),
		Done:     offset+int64(len(data)) == t.meta.Size,
	}, nil
}

// exchange sends a chunk until it is answered.
func (t *transfer) exchange(c *protocol.SnapshotRequest) (*protocol.SnapshotResponse, error) {
	for range chunkTries {
		if err := t.mustEnd(); err != nil {
			return nil, err
		}
		t.s.h.comms.Send([]protocol.Message{{From: t.s.h.opts.ID, To: t.to, Term: t.term, Body: c}})
		a, err := t.answer(c)
		if !errors.Is(err, errNoAnswer) {
			return a, err
		}
	}
	return nil, errNoAnswer
}

// answer waits for the answer to a chunk. The second answer to the chunk before, which was
// sent twice, is none: taken for one, it would let every later chunk be sent twice too.
func (t *transfer) answer(c *protocol.SnapshotRequest) (*protocol.SnapshotResponse, error) {
	timeout := time.NewTimer(chunkTimeout)
	defer timeout.Stop()
	for {
		select {
		case a := <-t.answers:
			late := !a.Rejected && a.Offset != c.Offset+int64(len(c.Data))
			if a.Last == t.meta.Last && !late {
				return a, nil
			}
		case <-timeout.C:
			return nil, errNoAnswer
		case <-t.s.stop:
			return nil, ErrClosed
		}
	}
}
