package vfs

import (
	"math/rand/v2"
	"slices"
	"sort"
)

// PowerLoss says what a loss of power leaves of that which was not synced: of each
// write every sector, and of each directory every change, is kept with a chance of
// Keep percent. The same value always makes the same choice.
type PowerLoss struct {
	Keep   int    // percent: 0 loses everything that was not synced, 100 nothing
	Seed   uint64 // of the choices between
	Sector int    // bytes that the disk writes whole: 512 when zero, or 4096
}

func (p PowerLoss) sector() int {
	if p.Sector == 0 {
		return 512
	}
	return p.Sector
}

func (p PowerLoss) keeps(rng *rand.Rand) bool { return rng.IntN(100) < p.Keep }

// Crash gives the file system that is found when the power comes back after it
// failed now. The present one goes on as if nothing had happened, so that one run
// can be crashed at each of its steps. It may be called from an observer.
func (m *Mem) Crash(p PowerLoss) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	rng := rand.New(rand.NewPCG(p.Seed, 0x9e3779b97f4a7c15))
	after := NewMem()
	after.capacity = m.capacity
	paths := make([]string, 0, len(m.dirs))
	for path := range m.dirs {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		after.dirs[path] = m.dirs[path].after(p, rng)
	}
	return after
}

// Kill gives the file system that another process finds after this one was killed now:
// everything is as it was seen, but what was not synced can still be lost. The present
// one goes on as if nothing had happened. Locks are not held any more.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMem()
	after.capacity = m.capacity
	copies := map[*memNode]*memNode{nil: nil} // a file stays one file, whatever its names are
	for path, d := range m.dirs {
		after.dirs[path] = d.copy(copies)
	}
	return after
}

func (d *memDir) copy(copies map[*memNode]*memNode) *memDir {
	node := func(n *memNode) *memNode {
		if _, ok := copies[n]; !ok {
			copies[n] = &memNode{data: slices.Clone(n.data), durable: slices.Clone(n.durable), writes: slices.Clone(n.writes)}
		}
		return copies[n]
	}
	after := newMemDir()
	for name, n := range d.entries {
		after.entries[name] = node(n)
	}
	for name, n := range d.durable {
		after.durable[name] = node(n)
	}
	for _, c := range d.changes {
		after.changes = append(after.changes, memChange{from: c.from, to: c.to, node: node(c.node)})
	}
	return after
}

func (d *memDir) after(p PowerLoss, rng *rand.Rand) *memDir {
	names := map[string]*memNode{}
	for name, n := range d.durable {
		names[name] = n
	}
	for _, c := range d.changes {
		if p.keeps(rng) {
			c.apply(names)
		}
	}
	after := newMemDir()
	for _, name := range sortedNames(names) {
		n := names[name].after(p, rng)
		after.entries[name], after.durable[name] = n, n
	}
	return after
}
