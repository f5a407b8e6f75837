package kv

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Hash gives a hash of what clients can see at revision rev: every pair that is
// there at rev, and every change after the compacted revision up to rev. Members
// that have the same compacted revision have the same hash. rev 0 stands for the
// newest. Errors: ErrCompacted, ErrFutureRevision.
func (s *Store) Hash(rev int64) (hash uint64, at, compacted int64, err error) {
	for {
		v := s.view()
		if at, err = v.readRevision(rev); err != nil {
			return 0, 0, 0, err
		}
		hash, err = s.hashAt(v, at)
		if s.compact.Load() == v.compact { // else changes may have gone meanwhile
			return hash, at, v.compact, err
		}
	}
}

func (s *Store) hashAt(v *view, at int64) (uint64, error) {
	h := hasher{Digest: xxhash.New()}
	err := v.scan(keyRange{end: []byte{0}}, func(_ []byte, head head) error {
		c, err := v.at(head, at)
		if err != nil || c.deleted() {
			return err
		}
		rec, closer, err := v.record(c.mod)
		if err != nil {
			return v.gone(err, c.mod, at)
		}
		h.add(rec)
		return closer.Close()
	})
	if err == nil {
		err = s.hashChanges(&h, v.compact, at)
	}
	return h.Sum64(), err
}

func (s *Store) hashChanges(h *hasher, after, to int64) error {
	it, err := s.records(after+1, to)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		rec, err := recordAt(it)
		if err != nil {
			_ = it.Close()
			return err
		}
		h.add(rec)
	}
	return it.Close()
}

type hasher struct {
	*xxhash.Digest
	space []byte
}

// add hashes what a client can see of a change: not how its key's chain is linked,
// which depends on how far the member's background compaction is.
func (h *hasher) add(r record) {
	b := h.space[:0]
	for _, v := range []uint64{
		uint64(r.mod.main), uint64(r.mod.sub), uint64(r.create), uint64(r.version),
		uint64(r.lease), uint64(len(r.key)), uint64(len(r.value)),
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	h.space = b
	_, _ = h.Write(b) // a Digest never fails
	_, _ = h.Write(r.key)
	_, _ = h.Write(r.value)
}
