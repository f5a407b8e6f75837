package vfs

import (
	"math/rand/v2"
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
