package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"sync"
	"syscall"
)

// Mem is a file system in memory that knows which bytes and names would survive a
// loss of power: see [Mem.Crash].
type Mem struct {
	mu       sync.Mutex
	dirs     map[string]*memDir // by clean path
	locks    map[string]bool
	capacity uint64
	observe  func(Op, string)
}

var _ FS = (*Mem)(nil)

// memDir is a directory: the names that are seen, the names that are durable, and
// what happened between them, in order.
type memDir struct {
	entries map[string]*memNode
	durable map[string]*memNode
	changes []memChange
}

// memChange is one atomic change of a directory: from loses its name, to gets the
// node. Either is empty when the change has no such side.
type memChange struct {
	from, to string
	node     *memNode
}

// NewMem makes an empty file system without a limit.
func NewMem() *Mem {
	m := &Mem{dirs: map[string]*memDir{}, locks: map[string]bool{}}
	m.dirs["."] = newMemDir()
	m.dirs["/"] = newMemDir()
	return m
}

func newMemDir() *memDir {
	return &memDir{entries: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// SetCapacity limits the sum of the files' lengths; writes beyond it fail with
// ENOSPC. Zero means no limit.
func (m *Mem) SetCapacity(bytes uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Observe sets a function that is called before each operation that changes the
// disk, by the goroutine that does it. A test calls Crash there: then it sees every
// moment at which the power can fail.
func (m *Mem) Observe(f func(op Op, name string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observe = f
}

func (m *Mem) before(op Op, name string) {
	m.mu.Lock()
	f := m.observe
	m.mu.Unlock()
	if f != nil {
		f(op, name)
	}
}

// Create implements FS. The file is a new one, also when the name was taken.
func (m *Mem) Create(name string) (File, error) {
	m.before(OpCreate, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	if _, isDir := m.dirs[path.Clean(name)]; isDir {
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	}
	n := &memNode{}
	d.change(memChange{to: base, node: n})
	return &memFile{fs: m, node: n, name: name, writable: true}, nil
}

// OpenReadWrite implements FS.
func (m *Mem) OpenReadWrite(name string) (File, error) { return m.open(name, true) }

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

func (m *Mem) open(name string, writable bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.parent("open", name)
	if err != nil {
		return nil, err
	}
	n, ok := d.entries[base]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return &memFile{fs: m, node: n, name: name, writable: writable}, nil
}

// Rename implements FS. Both names must be in one directory.
func (m *Mem) Rename(from, to string) error {
	m.before(OpRename, from)
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, err := m.parent("rename", from)
	if err != nil {
		return err
	}
	target, toBase, err := m.parent("rename", to)
	if err != nil {
		return err
	}
	if d != target {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
	}
	n, ok := d.entries[base]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: syscall.ENOENT}
	}
	if base != toBase {
		d.change(memChange{from: base, to: toBase, node: n})
	}
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.before(OpRemove, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if sub, ok := m.dirs[path.Clean(name)]; ok {
		if len(sub.entries) > 0 {
			return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
		}
		delete(m.dirs, path.Clean(name))
		return nil
	}
	d, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	if _, ok := d.entries[base]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	}
	d.change(memChange{from: base})
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = path.Clean(dir)
	d, ok := m.dirs[dir]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOENT}
	}
	names := sortedNames(d.entries)
	for p := range m.dirs {
		if p != dir && path.Dir(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	sort.Strings(names)
	return names, nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(dir string) error {
	m.before(OpMkdir, dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := path.Clean(dir); ; p = path.Dir(p) {
		if _, ok := m.dirs[p]; ok {
			return nil
		}
		if up, ok := m.dirs[path.Dir(p)]; ok && up.entries[path.Base(p)] != nil {
			return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
		}
		m.dirs[p] = newMemDir()
	}
}

// FailWriteback gives up what was written to files and not synced, as a kernel does when a
// sync fails: it goes on to show it and takes it for clean, so that no later sync makes it
// durable. Use it in a Rule's Before.
func (m *Mem) FailWriteback() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.dirs {
		for _, n := range d.entries {
			if n != nil {
				n.writes = nil
			}
		}
	}
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	m.before(OpSyncDir, dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.dirs[path.Clean(dir)]
	if !ok {
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOENT}
	}
	for _, c := range d.changes {
		c.apply(d.durable)
	}
	d.changes = nil
	return nil
}

// Lock implements FS. A lock does not survive Crash.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = path.Clean(name)
	if m.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	d, base, err := m.parent("lock", name)
	if err != nil {
		return nil, err
	}
	if d.entries[base] == nil {
		d.change(memChange{to: base, node: &memNode{}})
	}
	m.locks[name] = true
	return &memLock{fs: m, name: name}, nil
}

type memLock struct {
	fs   *Mem
	name string
	once sync.Once
}

// Close gives the lock back.
func (l *memLock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		delete(l.fs.locks, l.name)
	})
	return nil
}

// unlimited is the size that Usage reports when no capacity was set: 1 TiB.
const unlimited = 1 << 40

// Usage implements FS.
func (m *Mem) Usage(string) (Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := Usage{Total: m.capacity}
	if u.Total == 0 {
		u.Total = unlimited
	}
	u.Free = u.Total - min(u.Total, m.used())
	return u, nil
}

// used is the sum of the lengths of all files that have a name.
func (m *Mem) used() uint64 {
	var sum uint64
	for _, d := range m.dirs {
		for _, n := range d.entries {
			sum += uint64(len(n.data))
		}
	}
	return sum
}

func (m *Mem) parent(op, name string) (*memDir, string, error) {
	name = path.Clean(name)
	d, ok := m.dirs[path.Dir(name)]
	if !ok {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
	}
	return d, path.Base(name), nil
}

func (d *memDir) change(c memChange) {
	c.apply(d.entries)
	d.changes = append(d.changes, c)
}

// apply makes the change in a set of names. A change whose node has lost its old
// name, because an earlier change did not survive, does nothing.
func (c memChange) apply(names map[string]*memNode) {
	if c.from != "" {
		if n, ok := names[c.from]; !ok || c.node != nil && n != c.node {
			return
		}
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

func sortedNames(m map[string]*memNode) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
