package kv

import (
	"bytes"
	"cmp"
	"hash/maphash"
)

// intervals finds the key ranges that contain a key: a treap ordered by start and
// end, each node of which knows the largest end below it. Finding takes
// O(log n + found).
type intervals struct {
	root *interval
	seed maphash.Seed
}

type interval struct {
	keyRange
	watchers    map[*watcher]struct{}
	priority    uint64 // from the hash of the range: larger ones are nearer to the root
	last        []byte // largest end in this subtree; nil: without an end
	left, right *interval
}

func compareEnds(a, b []byte) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	}
	return bytes.Compare(a, b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// limit gives the end of the range, nil when it has none.
func (r keyRange) limit() []byte {
	if r.open() {
		return nil
	}
	return r.end
}

func (r keyRange) compare(o keyRange) int {
	return cmp.Or(bytes.Compare(r.key, o.key), compareEnds(r.limit(), o.limit()))
}

func (n *interval) update() *interval {
	n.last = n.limit()
	for _, child := range []*interval{n.left, n.right} {
		if child != nil && compareEnds(child.last, n.last) > 0 {
			n.last = child.last
		}
	}
	return n
}

func (t *intervals) add(r keyRange, w *watcher) {
	if t.root == nil && t.seed == (maphash.Seed{}) {
		t.seed = maphash.MakeSeed()
	}
	t.root = t.insert(t.root, r, w)
}

func (t *intervals) insert(n *interval, r keyRange, w *watcher) *interval {
	if n == nil {
		n = &interval{keyRange: r, watchers: map[*watcher]struct{}{w: {}}}
		n.priority = maphash.Bytes(t.seed, r.key) ^ maphash.Bytes(t.seed, r.end)<<1
		return n.update()
	}
	switch c := r.compare(n.keyRange); {
	case c == 0:
		n.watchers[w] = struct{}{}
		return n
	case c < 0:
		n.left = t.insert(n.left, r, w)
		if n.left.priority > n.priority {
			return n.rotateRight()
		}
	default:
		n.right = t.insert(n.right, r, w)
		if n.right.priority > n.priority {
			return n.rotateLeft()
		}
	}
	return n.update()
}

func (n *interval) rotateRight() *interval {
	l := n.left
	n.left, l.right = l.right, n
	n.update()
	return l.update()
}

func (n *interval) rotateLeft() *interval {
	r := n.right
	n.right, r.left = r.left, n
	n.update()
	return r.update()
}

func (t *intervals) remove(r keyRange, w *watcher) { t.root = remove(t.root, r, w) }

func remove(n *interval, r keyRange, w *watcher) *interval {
	if n == nil {
		return nil
	}
	switch c := r.compare(n.keyRange); {
	case c < 0:
		n.left = remove(n.left, r, w)
	case c > 0:
		n.right = remove(n.right, r, w)
	default:
		delete(n.watchers, w)
		if len(n.watchers) == 0 {
			return join(n.left, n.right)
		}
		return n
	}
	return n.update()
}

// join makes one treap of two, the first of which is wholly before the second.
func join(a, b *interval) *interval {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = join(a.right, b)
		return a.update()
	}
	b.left = join(a, b.left)
	return b.update()
}

// visit calls f for every watcher of a range that contains the key.
func (n *interval) visit(key []byte, f func(*watcher)) {
	for n != nil && (n.last == nil || bytes.Compare(key, n.last) < 0) {
		n.left.visit(key, f)
		if bytes.Compare(key, n.key) < 0 {
			return
		}
		if n.contains(key) {
			for w := range n.watchers {
				f(w)
			}
		}
		n = n.right
	}
}

// index finds the watchers of a key.
type index struct {
	keys   map[string]map[*watcher]struct{}
	ranges intervals
}

func (x *index) add(w *watcher) {
	if !w.single() {
		x.ranges.add(w.keyRange, w)
		return
	}
	if x.keys == nil {
		x.keys = map[string]map[*watcher]struct{}{}
	}
	set := x.keys[string(w.key)]
	if set == nil {
		set = map[*watcher]struct{}{}
		x.keys[string(w.key)] = set
	}
	set[w] = struct{}{}
}

func (x *index) remove(w *watcher) {
	if !w.single() {
		x.ranges.remove(w.keyRange, w)
		return
	}
	set := x.keys[string(w.key)]
	if delete(set, w); len(set) == 0 {
		delete(x.keys, string(w.key))
	}
}

func (x *index) visit(key []byte, f func(*watcher)) {
	for w := range x.keys[string(key)] {
		f(w)
	}
	x.ranges.root.visit(key, f)
}

// all gives every watcher.
func (x *index) all() []*watcher {
	var ws []*watcher
	for _, set := range x.keys {
		for w := range set {
			ws = append(ws, w)
		}
	}
	return x.ranges.root.all(ws)
}

func (n *interval) all(ws []*watcher) []*watcher {
	if n == nil {
		return ws
	}
	for w := range n.watchers {
		ws = append(ws, w)
	}
	return n.right.all(n.left.all(ws))
}
