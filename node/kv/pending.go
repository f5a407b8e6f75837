package kv

import (
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
)

// pending is what one call of Apply has changed and not committed yet.
type pending struct {
	batch   *pebble.Batch
	heads   map[string]head
	records []pendingRecord // ascending
	arena   []byte          // holds the encoded records; only ever appended to
}

type pendingRecord struct {
	rev revision
	enc []byte
}

// reset prepares for the next call of Apply.
func (p *pending) reset(batch *pebble.Batch) {
	p.batch = batch
	if p.heads == nil || len(p.heads) > 1<<14 {
		p.heads = make(map[string]head)
	}
	clear(p.heads)
	if cap(p.arena) > 8<<20 {
		p.records, p.arena = nil, nil
		return
	}
	p.records, p.arena = p.records[:0], p.arena[:0]
}

func (p *pending) find(r revision) ([]byte, bool) {
	i := sort.Search(len(p.records), func(i int) bool { return !p.records[i].rev.less(r) })
	if i < len(p.records) && p.records[i].rev == r {
		return p.records[i].enc, true
	}
	return nil, false
}

// keysIn gives the changed keys of the range, ascending.
func (p *pending) keysIn(r keyRange) []string {
	var keys []string
	for k := range p.heads {
		if r.contains([]byte(k)) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// add adds a change and makes it the head of its key.
func (p *pending) add(r record, depth uint64) error {
	start := len(p.arena)
	p.arena = r.append(p.arena)
	enc := p.arena[start:len(p.arena):len(p.arena)]
	p.records = append(p.records, pendingRecord{r.mod, enc})
	p.heads[string(r.key)] = head{change: r.change, depth: depth}
	var space [recordKeySize]byte
	return p.batch.Set(appendRecordKey(space[:0], r.mod), enc, nil)
}

// seal writes the heads and the meta into the batch. A key that changed more than
// once is written once.
func (p *pending) seal(m meta) error {
	var keySpace, valueSpace [128]byte
	for key, h := range p.heads {
		k := append(append(keySpace[:0], spaceHead), key...)
		if err := p.batch.Set(k, h.append(valueSpace[:0]), nil); err != nil {
			return err
		}
	}
	return p.batch.Set(metaKey, m.append(valueSpace[:0]), nil)
}
