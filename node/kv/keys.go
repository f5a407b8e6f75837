package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
)

// The first byte of a key in the LSM says which keyspace it is in.
const (
	spaceHead   = 'k'
	spaceMeta   = 'm'
	spaceRecord = 'r'
)

// What is true of the whole store has two keys, because two goroutines write it.
var (
	metaKey  = []byte{spaceMeta, 1} // meta
	sweptKey = []byte{spaceMeta, 2} // uvarint, see sweeper
)

// revision is one change: main counts the transactions that changed something, sub
// the changes within one. main 0 means "none".
type revision struct {
	main int64
	sub  uint32
}

func (r revision) less(o revision) bool {
	return r.main < o.main || r.main == o.main && r.sub < o.sub
}

const recordKeySize = 1 + 8 + 4

func appendRecordKey(b []byte, r revision) []byte {
	b = append(b, spaceRecord)
	b = binary.BigEndian.AppendUint64(b, uint64(r.main))
	return binary.BigEndian.AppendUint32(b, r.sub)
}

func parseRecordKey(b []byte) (revision, error) {
	if len(b) != recordKeySize || b[0] != spaceRecord {
		return revision{}, fmt.Errorf("kv: %x is not the key of a record: the store is damaged", b)
	}
	return revision{int64(binary.BigEndian.Uint64(b[1:])), binary.BigEndian.Uint32(b[9:])}, nil
}

func appendHeadKey(b, key []byte) []byte { return append(append(b, spaceHead), key...) }

// change is what a head and a record both tell of one change of a key.
type change struct {
	mod     revision
	version int64 // 0: the key was deleted
	create  int64
	lease   int64
	anchor  revision // a change of the key further back, see head.next
}

func (c change) deleted() bool { return c.version == 0 }

// head is the newest change of a key.
type head struct {
	change
	depth uint64 // changes of the key before this one
}

// anchorEvery is the distance between the changes of a key that may be anchors: a
// read of an old revision takes depth/anchorEvery + anchorEvery steps.
const anchorEvery = 64

// next gives the depth and the anchor of the change that follows h: the newest
// change before it whose depth is a multiple of anchorEvery.
func (h head) next() (depth uint64, anchor revision) {
	if h.mod.main == 0 {
		return 0, revision{}
	}
	if h.depth%anchorEvery == 0 {
		return h.depth + 1, h.mod
	}
	return h.depth + 1, h.anchor
}

// record is a change with its key, its value and the change before it.
type record struct {
	change
	prev       revision
	key, value []byte
}

// The flags of an encoded change. Bits never change their meaning.
const (
	flagDeleted = 1 << iota
	flagPrev
	flagAnchor
	flagLease
)

func (c change) flags() byte {
	var f byte
	if c.deleted() {
		f |= flagDeleted
	}
	if c.anchor.main != 0 {
		f |= flagAnchor
	}
	if c.lease != 0 {
		f |= flagLease
	}
	return f
}

func (c change) append(b []byte, f byte) []byte {
	b = append(b, f)
	if !c.deleted() {
		b = binary.AppendUvarint(b, uint64(c.version))
		b = binary.AppendUvarint(b, uint64(c.mod.main-c.create))
	}
	if f&flagLease != 0 {
		b = binary.AppendUvarint(b, uint64(c.lease))
	}
	if f&flagAnchor != 0 {
		b = appendBack(b, c.mod, c.anchor)
	}
	return b
}

// appendBack writes an earlier revision as its distance from mod.
func appendBack(b []byte, mod, r revision) []byte {
	b = binary.AppendUvarint(b, uint64(mod.main-r.main))
	return binary.AppendUvarint(b, uint64(r.sub))
}

func (h head) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(h.mod.main))
	b = binary.AppendUvarint(b, uint64(h.mod.sub))
	b = binary.AppendUvarint(b, h.depth)
	return h.change.append(b, h.flags())
}

func (r record) append(b []byte) []byte {
	f := r.flags()
	if r.prev.main != 0 {
		f |= flagPrev
	}
	b = r.change.append(b, f)
	if f&flagPrev != 0 {
		b = appendBack(b, r.mod, r.prev)
	}
	b = binary.AppendUvarint(b, uint64(len(r.key)))
	b = append(b, r.key...)
	return append(b, r.value...)
}

// decoder reads uvarints and remembers the first failure.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) back(mod revision) revision {
	main := mod.main - int64(d.uvarint())
	return revision{main, uint32(d.uvarint())}
}

func (d *decoder) change(mod revision) (c change, f byte) {
	if len(d.b) == 0 {
		d.bad = true
		return c, 0
	}
	f, d.b = d.b[0], d.b[1:]
	c.mod = mod
	if f&flagDeleted == 0 {
		c.version = int64(d.uvarint())
		c.create = mod.main - int64(d.uvarint())
	}
	if f&flagLease != 0 {
		c.lease = int64(d.uvarint())
	}
	if f&flagAnchor != 0 {
		c.anchor = d.back(mod)
	}
	return c, f
}

var errDamaged = errors.New("kv: an entry of the store cannot be decoded: the store is damaged")

func decodeHead(b []byte) (head, error) {
	d := decoder{b: b}
	mod := revision{int64(d.uvarint()), uint32(d.uvarint())}
	depth := d.uvarint()
	c, _ := d.change(mod)
	if d.bad {
		return head{}, errDamaged
	}
	return head{change: c, depth: depth}, nil
}

// decodeRecord decodes the record of mod; its key and value alias b.
func decodeRecord(mod revision, b []byte) (record, error) {
	d := decoder{b: b}
	c, f := d.change(mod)
	r := record{change: c}
	if f&flagPrev != 0 {
		r.prev = d.back(mod)
	}
	n := d.uvarint()
	if d.bad || n > uint64(len(d.b)) {
		return record{}, errDamaged
	}
	r.key, r.value = d.b[:n:n], d.b[n:]
	return r, nil
}

// meta is what is true of the whole store.
type meta struct {
	applied protocol.EntryID
	rev     int64 // of the newest transaction that changed something
	compact int64 // reads below it are refused; -1: never compacted
}

const metaVersion = 1

func (m meta) append(b []byte) []byte {
	b = append(b, metaVersion)
	for _, v := range []uint64{uint64(m.applied.Term), uint64(m.applied.Index), uint64(m.rev), uint64(m.compact + 1)} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

func decodeMeta(b []byte) (meta, error) {
	if len(b) == 0 || b[0] < metaVersion {
		return meta{}, fmt.Errorf("kv: the store has the format %x, which never was", b[:min(1, len(b))])
	}
	if b[0] > metaVersion {
		return meta{}, fmt.Errorf("kv: the store has format %d, this version reads up to %d: %w", b[0], metaVersion, machine.ErrNewer)
	}
	d := decoder{b: b[1:]}
	var m meta
	m.applied.Term = protocol.Term(d.uvarint())
	m.applied.Index = protocol.Index(d.uvarint())
	m.rev = int64(d.uvarint())
	m.compact = int64(d.uvarint()) - 1
	if d.bad {
		return meta{}, errDamaged
	}
	return m, nil
}
