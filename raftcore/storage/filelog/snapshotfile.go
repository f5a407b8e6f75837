package filelog

import (
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
	"github.com/quorate/quorate/raftcore/vfs"
)

// syncEvery is how many bytes of a snapshot are written between two syncs: so little
// that the log's sync does not wait long behind them.
const syncEvery = 4 << 20

type snapshotWriter struct {
	fs         vfs.FS
	dir        string
	name, temp string
	place      codec.Place
	file       vfs.File

	buf      []byte // a frame to be written
	data     []byte // the chunk that is being filled
	chunks   protocol.Index
	size     int64 // of the data
	offset   int64 // in the file
	unsynced int
	err      error // for good
	done     bool
}

var _ storage.SnapshotWriter = (*snapshotWriter)(nil)

// Write implements io.Writer.
func (w *snapshotWriter) Write(p []byte) (n int, err error) {
	if w.done && w.err == nil {
		return 0, storage.ErrClosed
	}
	for len(p) > 0 && w.err == nil {
		if w.data == nil {
			w.data = make([]byte, 0, chunkSize)
		}
		take := min(len(p), chunkSize-len(w.data))
		w.data = append(w.data, p[:take]...)
		p, n = p[take:], n+take
		if len(w.data) == chunkSize {
			w.err = w.writeChunk()
		}
	}
	return n, w.err
}

func (w *snapshotWriter) writeChunk() error {
	w.buf = w.place.AppendFrame(w.buf[:0], snapshotVersion, protocol.Entry{Kind: kindChunk, Index: w.chunks, Payload: w.data})
	w.size += int64(len(w.data))
	w.data = w.data[:0]
	w.chunks++
	return w.write()
}

func (w *snapshotWriter) write() error {
	if _, err := w.file.WriteAt(w.buf, w.offset); err != nil {
		return err
	}
	w.offset += int64(len(w.buf))
	if w.unsynced += len(w.buf); w.unsynced < syncEvery {
		return nil
	}
	w.unsynced = 0
	return w.file.Sync()
}

// Commit implements storage.SnapshotWriter: the file is durable before it gets its name.
func (w *snapshotWriter) Commit() error {
	if w.done {
		return errors.Join(w.err, storage.ErrClosed)
	}
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		err := w.err
		w.Abort()
		return fmt.Errorf("commit snapshot %s: %w", w.name, err)
	}
	w.done = true
	return nil
}

func (w *snapshotWriter) finish() error {
	if len(w.data) > 0 {
		if err := w.writeChunk(); err != nil {
			return err
		}
	}
	w.buf = w.place.AppendFrame(w.buf[:0], snapshotVersion, protocol.Entry{Kind: kindFooter, Index: protocol.Index(w.size)})
	if err := w.write(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := w.fs.Rename(w.temp, w.name); err != nil {
		return err
	}
	return w.fs.SyncDir(w.dir)
}

// Abort implements storage.SnapshotWriter.
func (w *snapshotWriter) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	w.file.Close()
	return w.fs.Remove(w.temp)
}

// snapshotReader reads the data and checks each chunk.
type snapshotReader struct {
	name  string
	place codec.Place
	file  vfs.File
	start int64 // of the first chunk in the file
	size  int64 // of the data

	pos   int64 // in the data
	chunk int64 // number of the chunk in data, or -1
	buf   []byte
	data  []byte
}

// readEnds reads the first frame and the footer and checks that what is between them
// has the length that they tell.
func (r *snapshotReader) readEnds(last protocol.EntryID, s codec.Serializer) (meta protocol.SnapshotMeta, err error) {
	length, err := r.file.Size()
	if err != nil {
		return meta, err
	}
	head, n, err := r.frame(0, min(length, chunkSize), kindSnapshot)
	if err != nil {
		return meta, err
	}
	meta.Last = head.ID()
	if meta.Last != last {
		take(branchSnapshotOther)
		return meta, r.damage(0, fmt.Sprintf("it is the snapshot of index %d and term %d", head.Index, head.Term))
	}
	if meta.Membership, err = s.DecodeMembership(codec.Encoded{Bytes: head.Payload}); err != nil {
		take(branchSnapshotMembers)
		return meta, r.damage(0, err.Error())
	}
	end := length - codec.FrameOverhead
	footer, _, err := r.frame(end, codec.FrameOverhead, kindFooter)
	if err != nil {
		return meta, err
	}
	r.start, r.size = int64(n), int64(footer.Index)
	meta.Size = r.size
	chunks := (r.size + chunkSize - 1) / chunkSize
	if want := r.start + r.size + chunks*codec.FrameOverhead; want != end {
		take(branchSnapshotLength)
		return meta, r.damage(end, fmt.Sprintf("the footer is at offset %d instead of %d", end, want))
	}
	return meta, nil
}

// frame reads the frame at an offset of the file, of which at most space bytes exist.
func (r *snapshotReader) frame(offset, space int64, kind protocol.EntryKind) (protocol.Entry, int, error) {
	if int64(cap(r.buf)) < space {
		r.buf = make([]byte, space)
	}
	buf := r.buf[:space]
	got, err := r.file.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return protocol.Entry{}, 0, err
	}
	e, version, n, err := r.place.ParseFrame(buf[:got])
	switch {
	case err != nil:
		take(branchSnapshotFrame)
		return e, n, r.damage(offset, err.Error())
	case version > snapshotVersion:
		take(branchSnapshotNewer)
		return e, n, fmt.Errorf("snapshot %s has format %d, this program reads up to %d: %w", r.name, version, snapshotVersion, ErrNewerFormat)
	case e.Kind != kind:
		take(branchSnapshotKind)
		return e, n, r.damage(offset, fmt.Sprintf("there is a frame of kind %d instead of %d", e.Kind, kind))
	}
	return e, n, nil
}

func (r *snapshotReader) damage(offset int64, reason string) error {
	return &storage.DamageError{File: r.name, Offset: offset, Reason: "snapshot: " + reason}
}

// Read implements io.Reader.
func (r *snapshotReader) Read(p []byte) (int, error) {
	if r.pos >= r.size {
		return 0, io.EOF
	}
	if n := r.pos / chunkSize; n != r.chunk {
		if err := r.load(n); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.data[r.pos%chunkSize:])
	r.pos += int64(n)
	return n, nil
}

func (r *snapshotReader) load(n int64) error {
	r.chunk = -1
	want := min(r.size-n*chunkSize, chunkSize)
	offset := r.start + n*(chunkSize+codec.FrameOverhead)
	e, _, err := r.frame(offset, want+codec.FrameOverhead, kindChunk)
	if err != nil {
		return err
	}
	if int64(e.Index) != n || int64(len(e.Payload)) != want {
		take(branchSnapshotChunk)
		return r.damage(offset, fmt.Sprintf("there are chunk %d and %d bytes instead of chunk %d and %d", e.Index, len(e.Payload), n, want))
	}
	r.chunk, r.data = n, e.Payload
	return nil
}

// Seek implements io.Seeker.
func (r *snapshotReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d in snapshot %s", offset, r.name)
	}
	r.pos = offset
	return offset, nil
}

// Close implements io.Closer.
func (r *snapshotReader) Close() error { return r.file.Close() }
