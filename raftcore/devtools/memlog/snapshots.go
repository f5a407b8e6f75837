package memlog

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

var _ storage.Snapshots = (*Snapshots)(nil)

// Snapshots is a storage.Snapshots in memory. The zero value is new and ready; a
// member's next process takes the same one.
type Snapshots struct {
	mu    sync.Mutex
	saved []savedSnapshot // ascending by index
}

type savedSnapshot struct {
	meta protocol.SnapshotMeta
	data []byte
}

// Create implements storage.Snapshots.
func (s *Snapshots) Create(meta protocol.SnapshotMeta) (storage.SnapshotWriter, error) {
	return &snapshotWriter{to: s, meta: meta}, nil
}

// Latest implements storage.Snapshots.
func (s *Snapshots) Latest() (meta protocol.SnapshotMeta, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.saved); n > 0 {
		return s.saved[n-1].meta, true, nil
	}
	return protocol.SnapshotMeta{}, false, nil
}

// Open implements storage.Snapshots.
func (s *Snapshots) Open(last protocol.EntryID) (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.saved {
		if x.meta.Last == last {
			return reader{bytes.NewReader(x.data)}, x.meta, nil
		}
	}
	return nil, protocol.SnapshotMeta{}, fmt.Errorf("the snapshot of entry %d of term %d: %w", last.Index, last.Term, fs.ErrNotExist)
}

// Keep implements storage.Snapshots.
func (s *Snapshots) Keep(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved = slices.Delete(s.saved, 0, max(0, len(s.saved)-n))
	return nil
}

func (s *Snapshots) add(x savedSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, same := slices.BinarySearchFunc(s.saved, x, func(a, b savedSnapshot) int {
		return cmp.Compare(a.meta.Last.Index, b.meta.Last.Index)
	})
	if same {
		s.saved[i] = x
		return
	}
	s.saved = slices.Insert(s.saved, i, x)
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

type snapshotWriter struct {
	to    *Snapshots
	meta  protocol.SnapshotMeta
	data  bytes.Buffer
	ended bool
}

func (w *snapshotWriter) Write(p []byte) (int, error) { return w.data.Write(p) }

func (w *snapshotWriter) Commit() error {
	if w.ended {
		return fmt.Errorf("committing the snapshot of entry %d: %w", w.meta.Last.Index, storage.ErrClosed)
	}
	w.ended = true
	w.meta.Size = int64(w.data.Len())
	w.to.add(savedSnapshot{w.meta, w.data.Bytes()})
	return nil
}

func (w *snapshotWriter) Abort() error {
	w.ended = true
	return nil
}
