package vfs

import (
	"io"
	"sync"
)

// Faulty is an FS that fails as its rules say and otherwise does what the FS under it
// does.
type Faulty struct {
	under FS
	mu    struct {
		sync.Mutex
		rules []*activeRule
	}
}

var _ FS = (*Faulty)(nil)

// NewFaulty wraps an FS.
func NewFaulty(under FS, rules ...Rule) *Faulty {
	f := &Faulty{under: under}
	f.Set(rules...)
	return f
}

// Set replaces all rules and starts their counting anew. Without rules nothing fails
// any more.
func (f *Faulty) Set(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.rules = nil
	for _, r := range rules {
		f.mu.rules = append(f.mu.rules, &activeRule{Rule: r})
	}
}

// fault finds the rule that fires for an operation, if there is one. All rules count
// the operation; the first that fires counts.
func (f *Faulty) fault(op Op, name string) *Rule {
	f.mu.Lock()
	var hit *Rule
	for _, r := range f.mu.rules {
		if r.fires(op, name) && hit == nil {
			hit = &r.Rule
		}
	}
	f.mu.Unlock()
	if hit != nil && hit.Before != nil {
		hit.Before()
	}
	return hit
}

func (f *Faulty) err(op Op, name string) error {
	if r := f.fault(op, name); r != nil {
		return r.error(op, name)
	}
	return nil
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) {
	if err := f.err(OpCreate, name); err != nil {
		return nil, err
	}
	return f.wrap(name)(f.under.Create(name))
}

// OpenReadWrite implements FS.
func (f *Faulty) OpenReadWrite(name string) (File, error) {
	if err := f.err(OpOpen, name); err != nil {
		return nil, err
	}
	return f.wrap(name)(f.under.OpenReadWrite(name))
}

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) {
	if err := f.err(OpOpen, name); err != nil {
		return nil, err
	}
	return f.wrap(name)(f.under.Open(name))
}

// Rename implements FS.
func (f *Faulty) Rename(from, to string) error {
	if err := f.err(OpRename, from); err != nil {
		return err
	}
	return f.under.Rename(from, to)
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	if err := f.err(OpRemove, name); err != nil {
		return err
	}
	return f.under.Remove(name)
}

// List implements FS.
func (f *Faulty) List(dir string) ([]string, error) {
	if err := f.err(OpList, dir); err != nil {
		return nil, err
	}
	return f.under.List(dir)
}

// MkdirAll implements FS.
func (f *Faulty) MkdirAll(dir string) error {
	if err := f.err(OpMkdir, dir); err != nil {
		return err
	}
	return f.under.MkdirAll(dir)
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	if err := f.err(OpSyncDir, dir); err != nil {
		return err
	}
	return f.under.SyncDir(dir)
}

// Lock implements FS.
func (f *Faulty) Lock(name string) (io.Closer, error) {
	if err := f.err(OpLock, name); err != nil {
		return nil, err
	}
	return f.under.Lock(name)
}

// Usage implements FS.
func (f *Faulty) Usage(path string) (Usage, error) {
	if err := f.err(OpUsage, path); err != nil {
		return Usage{}, err
	}
	return f.under.Usage(path)
}

func (f *Faulty) wrap(name string) func(File, error) (File, error) {
	return func(under File, err error) (File, error) {
		if err != nil {
			return nil, err
		}
		return &faultyFile{File: under, fs: f, name: name}, nil
	}
}

type faultyFile struct {
	File
	fs   *Faulty
	name string
}

var _ File = (*faultyFile)(nil)

// ReadAt implements File.
func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.err(OpRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// WriteAt implements File. A rule with Short lets that many bytes through before it
// fails.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	r := f.fs.fault(OpWrite, f.name)
	if r == nil || r.Err == nil {
		return f.File.WriteAt(p, off)
	}
	n := 0
	if r.Short > 0 {
		n, _ = f.File.WriteAt(p[:min(r.Short, len(p))], off)
	}
	return n, r.error(OpWrite, f.name)
}

// Sync implements File.
func (f *faultyFile) Sync() error {
	if err := f.fs.err(OpSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}
