package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/quorate/quorate/raftcore/protocol"
)

// restoreTable is the size after which a restore begins another table.
const restoreTable = 64 << 20

// Restore implements machine.StateMachine. The snapshot becomes tables beside the
// store, which then take the place of everything in it in one atomic step that is
// durable when Restore returns: a crash before it leaves the old state, with its old
// applied entry. Watches go on from the new state; one that would miss something
// that the snapshot does not have is canceled as compacted.
func (s *Store) Restore(last protocol.EntryID, r io.Reader) error {
	if err := s.fault.get(); err != nil {
		return err
	}
	s.sweeper.close()
	s.write.Lock()
	err := s.restore(last, r)
	s.write.Unlock()
	if err != nil {
		err = fmt.Errorf("kv: restoring the snapshot up to entry %d: %w", last.Index, err)
		s.fault.set(err) // the state is undefined
	}
	s.sweeper.start()
	s.sweeper.kick()
	return errors.Join(err, s.dropLeftovers())
}

func (s *Store) restore(last protocol.EntryID, r io.Reader) error {
	if err := s.options.FS.MkdirAll(s.restoreFolder(), 0o755); err != nil {
		return err
	}
	t := &tableWriter{store: s, last: last}
	if err := errors.Join(readSnapshot(r, t.add), t.closeTable()); err != nil {
		return err
	}
	if !t.sawMeta {
		return fmt.Errorf("%w: it has no meta", errSnapshotDamaged)
	}
	// Readers beside us must take what the new state does not have for compacted.
	s.compact.Store(max(s.compact.Load(), t.compact))
	all := pebble.KeyRange{Start: []byte{spaceHead}, End: []byte{spaceRecord + 1}}
	if _, err := s.db.IngestAndExcise(context.Background(), t.paths, nil, nil, all); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	s.hub.reset(s.write.meta.rev)
	return nil
}

func (s *Store) restoreFolder() string { return filepath.Join(s.options.DataDir, "kv-restore") }

// dropLeftovers removes the tables of a restore that did not finish.
func (s *Store) dropLeftovers() error {
	err := s.options.FS.RemoveAll(s.restoreFolder())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// tableWriter makes tables of a snapshot's entries.
type tableWriter struct {
	store   *Store
	last    protocol.EntryID
	sawMeta bool
	compact int64
	paths   []string
	table   *sstable.Writer
	size    int
	key     []byte // of the entry before
}

func (t *tableWriter) add(key, value []byte) error {
	if bytes.Compare(key, t.key) <= 0 {
		return fmt.Errorf("%w: its keys are not ascending", errSnapshotDamaged)
	}
	t.key = append(t.key[:0], key...)
	if bytes.Equal(key, metaKey) {
		m, err := decodeMeta(value)
		if err != nil {
			return err
		}
		if m.applied.Index > t.last.Index {
			return fmt.Errorf("%w: it has entry %d applied", errSnapshotDamaged, m.applied.Index)
		}
		m.applied, t.sawMeta, t.compact = t.last, true, m.compact
		value = m.append(nil)
	}
	if t.table == nil {
		if err := t.openTable(); err != nil {
			return err
		}
	}
	if err := t.table.Set(key, value); err != nil {
		return err
	}
	if t.size += len(key) + len(value); t.size < restoreTable {
		return nil
	}
	return t.closeTable()
}

func (t *tableWriter) openTable() error {
	s := t.store
	path := filepath.Join(s.restoreFolder(), fmt.Sprintf("%06d.sst", len(t.paths)))
	f, err := s.options.FS.Create(path, "restore")
	if err != nil {
		return err
	}
	t.paths = append(t.paths, path)
	o := s.pebbleOptions()
	o.EnsureDefaults()
	t.table = sstable.NewWriter(objstorageprovider.NewFileWritable(f), o.MakeWriterOptions(0, s.db.TableFormat()))
	t.size = 0
	return nil
}

// closeTable writes the rest of the present table and syncs it.
func (t *tableWriter) closeTable() error {
	if t.table == nil {
		return nil
	}
	table := t.table
	t.table = nil
	return table.Close()
}
