package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// view reads the store as it is after revision rev. pending, when it is set, holds
// what Apply has not committed yet.
type view struct {
	store   *Store
	rev     int64
	compact int64
	pending *pending
}

// errGone tells that a record is not there. Whether that is allowed depends on how
// the reader came to look for it.
var errGone = errors.New("kv: a record is gone")

// head gives the newest change of the key, which may be its deletion and may be
// newer than the view.
func (v *view) head(key []byte) (h head, ok bool, err error) {
	if v.pending != nil {
		if h, ok = v.pending.heads[string(key)]; ok {
			return h, true, nil
		}
	}
	return v.store.storedHead(key)
}

// storedHead gives the newest committed change of the key.
func (s *Store) storedHead(key []byte) (head, bool, error) {
	var space [64]byte
	b, closer, err := s.db.Get(appendHeadKey(space[:0], key))
	if errors.Is(err, pebble.ErrNotFound) {
		return head{}, false, nil
	}
	if err != nil {
		return head{}, false, fmt.Errorf("kv: reading the head of key %q: %w", key, err)
	}
	h, err := decodeHead(b)
	return h, true, errors.Join(err, closer.Close())
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

// record gives what happened at r, or errGone. It is valid until it is closed.
func (v *view) record(r revision) (record, io.Closer, error) {
	if v.pending != nil {
		if enc, ok := v.pending.find(r); ok {
			rec, err := decodeRecord(r, enc)
			return rec, nopCloser{}, err
		}
	}
	var space [recordKeySize]byte
	b, closer, err := v.store.db.Get(appendRecordKey(space[:0], r))
	if errors.Is(err, pebble.ErrNotFound) {
		return record{}, nil, errGone
	}
	if err != nil {
		return record{}, nil, fmt.Errorf("kv: reading revision %d.%d: %w", r.main, r.sub, err)
	}
	rec, err := decodeRecord(r, b)
	if err != nil {
		return record{}, nil, errors.Join(err, closer.Close())
	}
	return rec, closer, nil
}

// before gives the change before c and the change at c's anchor: whichever is
// nearer to the newest one at or before rev.
func (v *view) before(c change, rev int64) (change, error) {
	to := c.anchor
	if to.main <= rev {
		rec, closer, err := v.record(c.mod)
		if err != nil {
			return change{}, v.gone(err, c.mod, rev)
		}
		to = rec.prev
		if err := closer.Close(); err != nil || to.main == 0 {
			return change{}, err
		}
	}
	rec, closer, err := v.record(to)
	if errors.Is(err, errGone) && to.main <= rev && v.store.compact.Load() <= rev {
		return change{}, nil // compaction drops deletions
	}
	if err != nil {
		return change{}, v.gone(err, to, rev)
	}
	return rec.change, closer.Close()
}

// gone explains a record that a reader at rev did not find: compaction has passed
// the reader, or the store is damaged (invariant 2).
func (v *view) gone(err error, r revision, rev int64) error {
	if !errors.Is(err, errGone) {
		return err
	}
	if v.store.compact.Load() > rev {
		return ErrCompacted
	}
	return fmt.Errorf("kv: revision %d.%d is missing although nothing above %d was compacted: the store is damaged", r.main, r.sub, v.store.compact.Load())
}

// at gives the change of a key that a reader at rev sees; a deleted change when it
// sees none.
func (v *view) at(h head, rev int64) (change, error) {
	c := h.change
	for c.mod.main > rev {
		var err error
		if c, err = v.before(c, rev); err != nil {
			return change{}, err
		}
	}
	return c, nil
}

// alive reports whether the key exists at rev, without reading values if it can.
func (v *view) alive(h head, rev int64) (bool, error) {
	if h.mod.main <= rev || !h.deleted() && h.create <= rev {
		return !h.deleted(), nil
	}
	c, err := v.at(h, rev)
	return !c.deleted(), err
}

// fill makes kv the key-value pair of change c as a reader at rev sees it.
func (v *view) fill(kv *mvccpb.KeyValue, key []byte, c change, rev int64, value bool) error {
	kv.ModRevision, kv.CreateRevision = c.mod.main, c.create
	kv.Version, kv.Lease = c.version, c.lease
	if !value {
		kv.Key = bytes.Clone(key)
		return nil
	}
	rec, closer, err := v.record(c.mod)
	if err != nil {
		return v.gone(err, c.mod, rev)
	}
	b := make([]byte, len(key)+len(rec.value))
	n := copy(b, key)
	copy(b[n:], rec.value)
	kv.Key, kv.Value = b[:n:n], b[n:]
	return closer.Close()
}

// get gives the pair of the key at the view's revision, nil when there is none.
func (v *view) get(key []byte) (*mvccpb.KeyValue, error) {
	h, ok, err := v.head(key)
	if err != nil || !ok {
		return nil, err
	}
	c, err := v.at(h, v.rev)
	if err != nil || c.deleted() {
		return nil, err
	}
	kv := new(mvccpb.KeyValue)
	return kv, v.fill(kv, key, c, v.rev, true)
}
