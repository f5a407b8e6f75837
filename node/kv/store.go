package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Options say where a Store lives and how much memory it may use. Zero values
// stand for the defaults.
type Options struct {
	DataDir       string // the store is in its folder kv
	FS            vfs.FS // default: the operating system's
	CacheBytes    int64  // blocks kept in memory; default 32 MiB
	MemTableBytes uint64 // what is collected before it is flushed; default 16 MiB; two are in use
	Logger        *slog.Logger

	// OnFault is told when the LSM tree cannot go on. The store then refuses
	// everything; it is called once, from any goroutine.
	OnFault func(error)
}

// Store is the key-value state machine. Reads and watches may run at any time from
// any goroutine, also beside Apply.
type Store struct {
	options Options
	db      *pebble.DB

	// What is published to readers. rev is stored last (invariant 3).
	rev, compact atomic.Int64

	// write is held by Apply, Restore, Sync and, for moments, compaction: whoever
	// writes what another one of them writes too.
	write struct {
		sync.Mutex
		meta  meta
		stale bool // meta is newer than what was written
	}
	pending  pending  // of Apply
	executor executor // of Apply

	hub     *hub
	sweeper *sweeper
	fault   faultCell
}

var (
	_ machine.Durable   = (*Store)(nil)
	_ machine.AppliedTo = (*Store)(nil)
)

// Open opens the store in options.DataDir and makes it when it is not there. A
// fault of the LSM's files is an error that names the folder.
func Open(options Options) (*Store, error) {
	options = options.withDefaults()
	s := &Store{options: options}
	s.fault.report = options.OnFault
	folder := filepath.Join(options.DataDir, "kv")
	if err := s.dropLeftovers(); err != nil {
		return nil, fmt.Errorf("kv: removing what an interrupted restore left in %s: %w", options.DataDir, err)
	}
	db, err := pebble.Open(folder, s.pebbleOptions())
	if err != nil {
		return nil, fmt.Errorf("kv: opening the store in %s: %w", folder, err)
	}
	s.db = db
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("kv: opening the store in %s: %w", folder, err), db.Close())
	}
	s.hub = newHub(s)
	s.sweeper = newSweeper(s)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// load reads the meta, or makes that of an empty store: etcd's first revision is 1.
func (s *Store) load() error {
	m := meta{rev: 1, compact: -1}
	b, closer, err := s.db.Get(metaKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		s.write.stale = true
	case err != nil:
		return fmt.Errorf("reading the meta: %w", err)
	default:
		if m, err = decodeMeta(b); err == nil {
			err = closer.Close()
		}
		if err != nil {
			return err
		}
	}
	s.write.meta = m
	s.publish(m)
	return nil
}

func (s *Store) publish(m meta) {
	s.compact.Store(m.compact)
	s.rev.Store(m.rev)
}

// Applied implements machine.Durable.
func (s *Store) Applied() protocol.EntryID {
	s.write.Lock()
	defer s.write.Unlock()
	return s.write.meta.applied
}

// AppliedTo implements machine.AppliedTo.
func (s *Store) AppliedTo(id protocol.EntryID) {
	s.write.Lock()
	defer s.write.Unlock()
	s.write.meta.applied, s.write.stale = id, true
}

// Sync implements machine.Durable: it flushes the memtable to files.
func (s *Store) Sync() (protocol.EntryID, error) {
	if err := s.fault.get(); err != nil {
		return protocol.EntryID{}, err
	}
	id, err := s.writeMeta()
	if err != nil {
		return protocol.EntryID{}, err
	}
	if err := s.db.Flush(); err != nil {
		return protocol.EntryID{}, fmt.Errorf("kv: flushing the store in %s: %w", s.options.DataDir, err)
	}
	return id, nil
}

// writeMeta writes the meta when it is newer than what was written, and gives the
// entry that it names.
func (s *Store) writeMeta() (protocol.EntryID, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if s.write.stale {
		if err := s.db.Set(metaKey, s.write.meta.append(nil), pebble.NoSync); err != nil {
			return protocol.EntryID{}, fmt.Errorf("kv: writing the meta: %w", err)
		}
		s.write.stale = false
	}
	return s.write.meta.applied, nil
}

// Close flushes, so that little must be applied again, and closes the store. All
// streams must be closed and no read may run. After a fault it flushes nothing; when
// the LSM tree itself hangs in its fault, its files stay open until the process ends.
func (s *Store) Close() error {
	if s.fault.hanging.Load() {
		return nil // the sweeper may wait for locks that are never released
	}
	s.sweeper.close()
	s.hub.close()
	var flushErr error
	if s.fault.get() == nil {
		_, flushErr = s.Sync()
	}
	return errors.Join(flushErr, s.db.Close())
}

// Revision gives the newest revision that can be read.
func (s *Store) Revision() int64 { return s.rev.Load() }

// CompactRevision gives the revision below which reads are refused; -1 when the store was
// never compacted.
func (s *Store) CompactRevision() int64 { return s.compact.Load() }

// Size gives the bytes that the store takes, files and memtables that are not flushed
// yet, and how many of them hold what is not obsolete, as far as the LSM tree knows.
// Neither is ever 0: clients divide by them.
func (s *Store) Size() (total, inUse int64) {
	m := s.db.Metrics()
	inUse = int64(m.Table.Local.LiveSize + m.BlobFiles.LiveSize + m.MemTable.Size)
	obsolete := m.Table.Local.ObsoleteSize + m.Table.Local.ZombieSize + m.BlobFiles.ObsoleteSize + m.BlobFiles.ZombieSize + m.MemTable.ZombieSize
	return inUse + int64(obsolete), inUse
}

// WaitSwept returns when what the last compaction made unreachable is dropped from
// this member's store, or with ctx's error.
func (s *Store) WaitSwept(ctx context.Context) error {
	if err := s.sweeper.wait(ctx); err != nil {
		return err
	}
	return s.fault.get()
}

// Defragment rewrites the files so that they hold nothing obsolete.
func (s *Store) Defragment(ctx context.Context) error {
	if err := s.fault.get(); err != nil {
		return err
	}
	if err := s.db.Compact(ctx, []byte{spaceHead}, []byte{spaceRecord + 1}, false); err != nil {
		return fmt.Errorf("kv: defragmenting the store in %s: %w", s.options.DataDir, err)
	}
	return nil
}
