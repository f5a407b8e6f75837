package filelog

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

const (
	snapshotSuffix  = ".snap"
	unfinishedName  = ".unfinished"
	snapshotVersion = 1 // the flags of the frames

	kindSnapshot = codec.FrameOwnKinds + 0x20 // first frame: Term and Index of Last, payload: the membership
	kindChunk    = codec.FrameOwnKinds + 0x21 // Index: number of the chunk
	kindFooter   = codec.FrameOwnKinds + 0x22 // Index: bytes of data in all
)

// chunkSize is how much data is under one checksum; only the last chunk is shorter.
const chunkSize = 64 << 10

// Snapshots is a storage.Snapshots on files. Open gives it.
type Snapshots struct {
	fs         vfs.FS
	dir        string
	serializer codec.Serializer
	writers    atomic.Uint64 // makes the names of unfinished files unique
}

var _ storage.Snapshots = (*Snapshots)(nil)

func snapshotName(last protocol.EntryID) string {
	return fmt.Sprintf("%016x-%016x%s", uint64(last.Index), uint64(last.Term), snapshotSuffix)
}

func parseSnapshotName(name string) (last protocol.EntryID, ok bool) {
	digits, found := strings.CutSuffix(name, snapshotSuffix)
	if !found || len(digits) != 33 || digits[16] != '-' {
		return last, false
	}
	index, err1 := strconv.ParseUint(digits[:16], 16, 64)
	term, err2 := strconv.ParseUint(digits[17:], 16, 64)
	return protocol.EntryID{Index: protocol.Index(index), Term: protocol.Term(term)}, err1 == nil && err2 == nil
}

// snapshotPlace binds all frames of a file to its snapshot.
func snapshotPlace(last protocol.EntryID) codec.Place {
	return placeOf(uint64(last.Term), int64(last.Index))
}

// openSnapshots removes what a process that died has left unfinished. The directory is
// synced in any case: a snapshot may have its name only in a cache, and the log will be
// compacted because of it.
func openSnapshots(fsys vfs.FS, dir string, s codec.Serializer) (*Snapshots, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, unfinishedName) {
			take(branchSnapshotDropped)
			if err := fsys.Remove(dir + "/" + name); err != nil {
				return nil, err
			}
		}
	}
	return &Snapshots{fs: fsys, dir: dir, serializer: s}, fsys.SyncDir(dir)
}

// Create implements storage.Snapshots.
func (s *Snapshots) Create(meta protocol.SnapshotMeta) (storage.SnapshotWriter, error) {
	members, err := s.serializer.EncodeMembership(nil, meta.Membership)
	if err != nil {
		return nil, err
	}
	name := s.dir + "/" + snapshotName(meta.Last)
	w := &snapshotWriter{
		fs: s.fs, dir: s.dir, name: name, place: snapshotPlace(meta.Last),
		temp: fmt.Sprintf("%s.%d%s", name, s.writers.Add(1), unfinishedName),
	}
	if w.file, err = s.fs.Create(w.temp); err != nil {
		return nil, err
	}
	w.buf = w.place.AppendFrame(w.buf, snapshotVersion, protocol.Entry{
		Kind: kindSnapshot, Term: meta.Last.Term, Index: meta.Last.Index, Payload: members.Bytes,
	})
	if err := w.write(); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// list gives the snapshots that are there, oldest first.
func (s *Snapshots) list() ([]protocol.EntryID, error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	var ids []protocol.EntryID
	for _, name := range names {
		if id, ok := parseSnapshotName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b protocol.EntryID) int {
		if a.Index != b.Index {
			return cmp.Compare(a.Index, b.Index)
		}
		return cmp.Compare(a.Term, b.Term)
	})
	return ids, nil
}

// Latest implements storage.Snapshots. When the newest one is damaged it gives a
// *storage.DamageError: an older one would be no help, as the log may begin after it.
func (s *Snapshots) Latest() (meta protocol.SnapshotMeta, ok bool, err error) {
	ids, err := s.list()
	if err != nil || len(ids) == 0 {
		return meta, false, err
	}
	r, meta, err := s.Open(ids[len(ids)-1])
	if err != nil {
		return meta, false, err
	}
	return meta, true, r.Close()
}

// Open implements storage.Snapshots. The error is fs.ErrNotExist when there is no such
// snapshot.
func (s *Snapshots) Open(last protocol.EntryID) (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	r := &snapshotReader{name: s.dir + "/" + snapshotName(last), place: snapshotPlace(last), chunk: -1}
	var err error
	if r.file, err = s.fs.Open(r.name); err != nil {
		return nil, protocol.SnapshotMeta{}, err
	}
	meta, err := r.readEnds(last, s.serializer)
	if err != nil {
		r.file.Close()
		return nil, meta, err
	}
	return r, meta, nil
}

// Keep implements storage.Snapshots. A reader that is open goes on to read.
func (s *Snapshots) Keep(n int) error {
	ids, err := s.list()
	if err != nil || len(ids) <= n {
		return err
	}
	for _, id := range ids[:len(ids)-n] {
		if err := s.fs.Remove(s.dir + "/" + snapshotName(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.fs.SyncDir(s.dir)
}
