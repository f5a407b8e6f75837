package host_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

// bulk is a ledger with a large state beside: so many bytes of zeros.
type bulk struct {
	*ledger
	size    int64
	write   time.Duration // what WriteTo takes
	restore time.Duration // what Restore takes
	writing *atomic.Int32 // how many WriteTo are under way
}

func (b *bulk) Snapshot() (machine.Snapshot, error) { return &frozenBulk{b, frozen(b.all())}, nil }

type frozenBulk struct {
	of *bulk
	frozen
}

func (f *frozenBulk) WriteTo(w io.Writer) (int64, error) {
	f.of.writing.Add(1)
	defer f.of.writing.Add(-1)
	time.Sleep(f.of.write)
	var entries bytes.Buffer
	if _, err := f.frozen.WriteTo(&entries); err != nil {
		return 0, err
	}
	head := append(binary.BigEndian.AppendUint32(nil, uint32(entries.Len())), entries.Bytes()...)
	n, err := w.Write(head)
	if err != nil {
		return int64(n), err
	}
	m, err := io.CopyN(w, zeros{}, f.of.size)
	return int64(n) + m, err
}

func (b *bulk) Restore(last protocol.EntryID, r io.Reader) error {
	time.Sleep(b.restore)
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return err
	}
	if err := b.ledger.Restore(last, io.LimitReader(r, int64(binary.BigEndian.Uint32(n[:])))); err != nil {
		return err
	}
	if rest, err := io.Copy(onlyZeros{}, r); rest != b.size || err != nil {
		return fmt.Errorf("%d bytes instead of %d, %w", rest, b.size, err)
	}
	return nil
}

// zeros gives zeros, onlyZeros takes nothing else.
type (
	zeros     struct{}
	onlyZeros struct{}
)

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func (onlyZeros) Write(p []byte) (int, error) {
	if i := bytes.IndexFunc(p, func(r rune) bool { return r != 0 }); i >= 0 {
		return i, fmt.Errorf("byte %d of %d is no zero", i, len(p))
	}
	return len(p), nil
}

// bulky gives every member a large state and a disk for snapshots with faults.
type bulky struct {
	size           int64
	chunk          int
	retain         uint64
	write, restore time.Duration
	disks          map[protocol.MemberID]*bulkDisk
	writing        map[protocol.MemberID]*atomic.Int32
}

func (b *bulky) change(o *host.Options) {
	if b.disks == nil {
		b.disks, b.writing = map[protocol.MemberID]*bulkDisk{}, map[protocol.MemberID]*atomic.Int32{}
	}
	if b.disks[o.ID] == nil {
		b.disks[o.ID], b.writing[o.ID] = &bulkDisk{Snapshots: o.Snapshots.(*memlog.Snapshots)}, &atomic.Int32{}
	}
	o.Snapshots = b.disks[o.ID]
	o.Machine = &bulk{o.Machine.(*ledger), b.size, b.write, b.restore, b.writing[o.ID]}
	o.SnapshotEntries, o.KeepEntries, o.MaxRetainedEntries = 20, 5, b.retain
	o.SnapshotChunkBytes = b.chunk
}

// bulkDisk keeps snapshots. Its zero value has no fault.
type bulkDisk struct {
	*memlog.Snapshots
	slow    atomic.Int64  // nanoseconds for each Write
	damaged atomic.Bool   // the snapshot that is opened next has a damaged record, until it is written anew
	met     atomic.Bool   // it has
	full    atomic.Bool   // there is no space for a snapshot
	written atomic.Int64  // bytes, in all
	hangs   chan struct{} // Create and Open wait until it is closed; nil: they do not
	rotten  protocol.EntryID
	mu      sync.Mutex
}

func (d *bulkDisk) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = make(chan struct{})
}

func (d *bulkDisk) goOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.hangs)
	d.hangs = nil
}

func (d *bulkDisk) wait() {
	d.mu.Lock()
	hangs := d.hangs
	d.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
}

func (d *bulkDisk) Create(meta protocol.SnapshotMeta) (storage.SnapshotWriter, error) {
	d.wait()
	if d.full.Load() {
		return nil, syscall.ENOSPC
	}
	d.isRotten(meta.Last, true)
	w, err := d.Snapshots.Create(meta)
	return &bulkWriter{w, d}, err
}

type bulkWriter struct {
	storage.SnapshotWriter
	disk *bulkDisk
}

func (w *bulkWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(w.disk.slow.Load()))
	if w.disk.full.Load() {
		return 0, syscall.ENOSPC
	}
	n, err := w.SnapshotWriter.Write(p)
	w.disk.written.Add(int64(n))
	return n, err
}

func (d *bulkDisk) Open(last protocol.EntryID) (io.ReadSeekCloser, protocol.SnapshotMeta, error) {
	d.wait()
	r, meta, err := d.Snapshots.Open(last)
	if err == nil && d.isRotten(last, false) {
		return &damagedReader{r, &d.met}, meta, nil
	}
	return r, meta, err
}

// isRotten reports whether the snapshot is the damaged one; anew: it is written once more.
func (d *bulkDisk) isRotten(last protocol.EntryID, anew bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !anew && d.damaged.CompareAndSwap(true, false) {
		d.rotten = last
	}
	is := d.rotten == last
	if is && anew {
		d.rotten = protocol.EntryID{}
	}
	return is
}

// damagedReader notices at byte 20,000 that a record is damaged.
type damagedReader struct {
	io.ReadSeekCloser
	met *atomic.Bool
}

func (r *damagedReader) Read(p []byte) (int, error) {
	if at, err := r.Seek(0, io.SeekCurrent); err != nil || at >= 20_000 {
		r.met.Store(true)
		return 0, &storage.DamageError{File: "snapshot", Offset: at, Reason: "a bit was turned over"}
	}
	return r.ReadSeekCloser.Read(p)
}
