package kv

import (
	"bytes"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// keyRange is what etcd's requests name by key and range_end: without an end one
// key, with the end "\x00" everything from the key on.
type keyRange struct {
	key, end []byte
}

func (r keyRange) single() bool { return len(r.end) == 0 }

func (r keyRange) open() bool { return len(r.end) == 1 && r.end[0] == 0 }

func (r keyRange) contains(key []byte) bool {
	if r.single() {
		return bytes.Equal(key, r.key)
	}
	return bytes.Compare(key, r.key) >= 0 && (r.open() || bytes.Compare(key, r.end) < 0)
}

// empty reports whether no key can be in the range.
func (r keyRange) empty() bool {
	return !r.single() && !r.open() && bytes.Compare(r.key, r.end) >= 0
}

func (r keyRange) bounds() (lower, upper []byte) {
	lower = appendHeadKey(nil, r.key)
	if r.open() {
		return lower, []byte{spaceHead + 1}
	}
	return lower, appendHeadKey(nil, r.end)
}

// scan calls f with the head of every key of the range, ascending by key. The key
// is valid only during the call.
func (v *view) scan(r keyRange, f func(key []byte, h head) error) error {
	if r.single() {
		h, ok, err := v.head(r.key)
		if err != nil || !ok {
			return err
		}
		return f(r.key, h)
	}
	if r.empty() {
		return nil
	}
	var fresh []string
	if v.pending != nil {
		fresh = v.pending.keysIn(r)
	}
	lower, upper := r.bounds()
	it, err := v.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("kv: scanning keys from %q: %w", r.key, err)
	}
	err = v.merge(it, fresh, f)
	if closeErr := it.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("kv: scanning keys from %q: %w", r.key, closeErr)
	}
	return err
}

// merge walks the committed heads and the fresh keys side by side; for a key that
// is in both the fresh head counts.
func (v *view) merge(it *pebble.Iterator, fresh []string, f func([]byte, head) error) error {
	for ok := it.First(); ok || len(fresh) > 0; {
		order := -1 // of the committed key to the fresh one
		if len(fresh) > 0 {
			order = 1
			if ok {
				order = bytes.Compare(it.Key()[1:], []byte(fresh[0]))
			}
		}
		if order >= 0 {
			if err := f([]byte(fresh[0]), v.pending.heads[fresh[0]]); err != nil {
				return err
			}
			fresh = fresh[1:]
		} else if err := yieldStored(it, f); err != nil {
			return err
		}
		if order <= 0 {
			ok = it.Next()
		}
	}
	return it.Error()
}

func yieldStored(it *pebble.Iterator, f func([]byte, head) error) error {
	b, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	h, err := decodeHead(b)
	if err != nil {
		return err
	}
	return f(it.Key()[1:], h)
}
