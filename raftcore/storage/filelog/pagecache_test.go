package filelog

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// After a kill the newest write is only in the page cache. Once recovery has given it
// to the replica it must be durable.
func TestRecoveryMakesDurableWhatItFound(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.append(command(1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	fs.rules("sync *.seg EIO")
	if err := fs.append(command(1, 2, 1500)); err == nil {
		t.Fatal("an entry was reported durable")
	}
	fs.Store.Close()
	fs.rules("")
	s, err := Open(fs.disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	found := s.Log.State().Last
	if found != 2 {
		t.Fatalf("the log ends at %d: the test does not test", found)
	}
	after, err := Open(fs.mem.Crash(vfs.PowerLoss{}), "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if got := after.Log.State().Last; got != found {
		t.Errorf("recovery gave entries up to %d, of which after a loss of power %d were left", found, got)
	}
	s.Close()
}

// A process is killed while its newest write is only in the page cache; then the power
// fails during recovery. The write was never acknowledged: it may be there or not, as a
// whole or in part, but it is no damage.
func TestPowerFailsWhileRecoveringFromAKill(t *testing.T) {
	fs := newFaultyStore(t)
	if err := fs.append(command(1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	fs.rules("sync *.seg EIO")
	if err := fs.append(command(1, 2, 900), command(1, 3, 900)); err == nil {
		t.Fatal("entries were reported durable")
	}
	fs.Store.Close()
	fs.rules("")
	var crashed []*vfs.Mem
	fs.mem.Observe(func(vfs.Op, string) {
		for seed := range uint64(40) {
			crashed = append(crashed, fs.mem.Crash(vfs.PowerLoss{Keep: 50, Seed: seed}))
		}
	})
	s, err := Open(fs.disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	fs.mem.Observe(nil)
	defer s.Close()
	ends := map[protocol.Index]int{}
	for i, disk := range crashed {
		again, err := Open(disk, "d", fs.opts)
		if err != nil {
			t.Fatalf("crash %d: %v", i, err)
		}
		ends[again.Log.State().Last]++
		again.Close()
	}
	if ends[1] == 0 || ends[3] == 0 || ends[0] != 0 {
		t.Errorf("where the log ended, and how often: %v", ends)
	}
}

// A process is killed after a rename and before the directory is synced. Whoever opens
// the directory relies on the name, so it must not be lost any more.
func TestNamesThatWereSeenAreDurable(t *testing.T) {
	fs := newFaultyStore(t)
	fs.rules("syncdir snap EIO")
	w, err := fs.Snapshots.Create(protocol.SnapshotMeta{Last: protocol.EntryID{Term: 1, Index: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("commit gave %v", err)
	}
	fs.Store.Close()
	expectSeen := func(disk vfs.FS) {
		t.Helper()
		s, err := Open(disk, "d", fs.opts)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, ok, err := s.Snapshots.Latest(); !ok || err != nil {
			t.Fatalf("latest gives %v, %v", ok, err)
		}
	}
	fs.rules("")
	expectSeen(fs.mem)
	expectSeen(fs.mem.Crash(vfs.PowerLoss{}))

	disk := vfs.NewMem()
	faulty := vfs.NewFaulty(disk, vfs.Rule{Op: vfs.OpSyncDir, Pattern: "d", Err: syscall.EIO})
	if err := Format(faulty, "d", crashIdentity, fs.opts); !errors.Is(err, syscall.EIO) {
		t.Fatalf("format gave %v", err)
	}
	s, err := Open(disk, "d", fs.opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if s, err = Open(disk.Crash(vfs.PowerLoss{}), "d", fs.opts); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// After a sync that failed the page cache keeps what was written, and claims that it is on
// the disk. What recovery finds there it makes durable, all of it, before anybody relies on it.
func TestRecoveryDoesNotBelieveThePageCache(t *testing.T) {
	found, left := afterFailedSync(t, 0)
	if found != 4 || left != found {
		t.Errorf("recovery gave entries up to %d, of which after a loss of power %d were left; 4 were written", found, left)
	}
}

// pageCache is a cache as Linux has it: pages whose sync has failed stay readable but count
// as clean, so that no later sync writes them; only writing them again does.
type pageCache struct {
	vfs.FS
	mu      sync.Mutex
	files   map[string]*cachedPages
	failing bool
}

const cachePage = 4096

// cachedPages are those of a file that are not on the disk.
type cachedPages struct {
	pages map[int64][]byte
	dirty map[int64]bool // what the next sync writes
}

// failOnce lets the next sync of a file with dirty pages fail.
func (c *pageCache) failOnce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = true
}

func (c *pageCache) open(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files[name] == nil {
		c.files[name] = &cachedPages{pages: map[int64][]byte{}, dirty: map[int64]bool{}}
	}
	return &cachedFile{File: f, cache: c, of: c.files[name]}, nil
}

func (c *pageCache) OpenReadWrite(name string) (vfs.File, error) {
	f, err := c.FS.OpenReadWrite(name)
	return c.open(name, f, err)
}

func (c *pageCache) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	return c.open(name, f, err)
}

func (c *pageCache) Create(name string) (vfs.File, error) {
	f, err := c.FS.Create(name)
	return c.open(name, f, err)
}

func (c *pageCache) Rename(from, to string) error {
	if err := c.FS.Rename(from, to); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[to] = c.files[from]
	delete(c.files, from)
	return nil
}

type cachedFile struct {
	vfs.File
	cache *pageCache
	of    *cachedPages
}

func (f *cachedFile) ReadAt(p []byte, off int64) (int, error) {
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	n, err := f.File.ReadAt(p, off)
	for page, data := range f.of.pages {
		from, to := max(page, off), min(page+cachePage, off+int64(n))
		if from < to {
			copy(p[from-off:to-off], data[from-page:to-page])
		}
	}
	return n, err
}

// WriteAt keeps whole pages; a file grows on the disk at once, with zeros.
func (f *cachedFile) WriteAt(p []byte, off int64) (int, error) {
	if size, err := f.Size(); err != nil || off+int64(len(p)) > size {
		if _, err := f.File.WriteAt(make([]byte, off+int64(len(p))-size), size); err != nil {
			return 0, err
		}
	}
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	for page := off / cachePage * cachePage; page < off+int64(len(p)); page += cachePage {
		if f.of.pages[page] == nil {
			data := make([]byte, cachePage)
			if _, err := f.File.ReadAt(data, page); err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
			f.of.pages[page] = data
		}
		from, to := max(page, off), min(page+cachePage, off+int64(len(p)))
		copy(f.of.pages[page][from-page:to-page], p[from-off:to-off])
		f.of.dirty[page] = true
	}
	return len(p), nil
}

func (f *cachedFile) Sync() error {
	f.cache.mu.Lock()
	defer f.cache.mu.Unlock()
	if f.cache.failing && len(f.of.dirty) > 0 {
		f.cache.failing = false
		clear(f.of.dirty)
		return syscall.EIO
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	for page := range f.of.dirty {
		data := f.of.pages[page][:min(cachePage, size-page)]
		if _, err := f.File.WriteAt(data, page); err != nil {
			return err
		}
		delete(f.of.pages, page)
	}
	clear(f.of.dirty)
	return f.File.Sync()
}
