package vfs

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
)

// memNode is a file's content: what is seen, what was durable at the last Sync, and
// the writes since then in order. Guarded by Mem.mu.
type memNode struct {
	data    []byte
	durable []byte
	writes  []memWrite
}

type memWrite struct {
	off  int64
	data []byte
}

type memFile struct {
	fs       *Mem
	node     *memNode
	name     string
	writable bool
	closed   bool
}

var _ File = (*memFile)(nil)

func (f *memFile) check(op string) error {
	if f.closed {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	}
	return nil
}

// ReadAt implements File.
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("read"); err != nil {
		return 0, err
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements File. When space runs out, the part that fits is written.
func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.before(OpWrite, f.name)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("write"); err != nil {
		return 0, err
	}
	if !f.writable {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: syscall.EBADF}
	}
	fits := f.fs.fits(f.node, p, off)
	f.node.write(p[:fits], off)
	if fits < len(p) {
		return fits, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	return fits, nil
}

// fits tells how much of a write the capacity allows.
func (m *Mem) fits(n *memNode, p []byte, off int64) int {
	end := off + int64(len(p))
	if m.capacity == 0 || end <= int64(len(n.data)) {
		return len(p)
	}
	room := int64(m.capacity) - int64(m.used()) + int64(len(n.data)) - off
	return int(max(0, min(room, int64(len(p)))))
}

func (n *memNode) write(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	w := memWrite{off: off, data: append([]byte(nil), p...)}
	n.writes = append(n.writes, w)
	n.data = w.over(n.data)
}

// over gives the content with the write done.
func (w memWrite) over(data []byte) []byte {
	if need := int(w.off) + len(w.data); need > len(data) {
		data = append(data, make([]byte, need-len(data))...)
	}
	copy(data[w.off:], w.data)
	return data
}

// Size implements File.
func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("stat"); err != nil {
		return 0, err
	}
	return int64(len(f.node.data)), nil
}

// Sync implements File.
func (f *memFile) Sync() error {
	f.fs.before(OpSync, f.name)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("sync"); err != nil {
		return err
	}
	for _, w := range f.node.writes {
		f.node.durable = w.over(f.node.durable)
	}
	f.node.writes = nil
	return nil
}

// Close implements File. It makes nothing durable.
func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.check("close"); err != nil {
		return err
	}
	f.closed = true
	return nil
}

// after gives the node as a loss of power leaves it. Every sector has one of the
// contents that it had since the last Sync: the disk writes a sector whole or not
// at all, and in any order.
func (n *memNode) after(p PowerLoss, rng *rand.Rand) *memNode {
	data := append([]byte(nil), n.durable...)
	sector := int64(p.sector())
	lost := map[int64]bool{} // sectors whose later writes are lost as well
	for _, w := range n.writes {
		for at := w.off; at < w.off+int64(len(w.data)); {
			next := min((at/sector+1)*sector, w.off+int64(len(w.data)))
			if !lost[at/sector] && p.keeps(rng) {
				part := memWrite{off: at, data: w.data[at-w.off : next-w.off]}
				data = part.over(data)
			} else {
				lost[at/sector] = true
			}
			at = next
		}
	}
	return &memNode{data: data, durable: append([]byte(nil), data...)}
}
