package vfs

import (
	"errors"
	"io"
)

// FS is a file system. Errors satisfy errors.Is with the sentinels of package
// io/fs (ErrNotExist, ErrExist) and with the syscall.Errno that caused them. All
// methods may be called from many goroutines.
type FS interface {
	// Create opens a file for reading and writing. It is empty, also when it
	// existed.
	Create(name string) (File, error)
	// OpenReadWrite opens a file that exists.
	OpenReadWrite(name string) (File, error)
	// Open opens a file that exists, for reading only.
	Open(name string) (File, error)
	// Rename gives a file another name; a file that has that name is replaced.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// List gives the names in a directory, without the path, ascending.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory and its parents where they are missing, and makes
	// them durable. It does nothing when the directory exists.
	MkdirAll(dir string) error
	// SyncDir makes durable what was created, renamed and removed in a directory.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on a file, which is made when it is missing. It
	// does not wait: ErrLocked tells that another process, or another caller in this
	// one, has it. Close gives it back, as does the end of the process.
	Lock(name string) (io.Closer, error)
	// Usage tells how full the file system that holds a path is.
	Usage(path string) (Usage, error)
}

// File is an open file. ReadAt and WriteAt may be called from many goroutines.
type File interface {
	io.ReaderAt
	// WriteAt writes all of p or gives an error; then an unknown part of p was
	// written. Beyond the end it makes the file longer; a gap reads as zeros.
	io.WriterAt
	io.Closer
	// Size gives the length in bytes.
	Size() (int64, error)
	// Sync makes all bytes and the length durable (fdatasync). After an error it is
	// not known what is durable, and a later Sync that succeeds proves nothing.
	Sync() error
}

// Usage is how full a file system is, in bytes. Free is what this process may use.
type Usage struct {
	Total, Free uint64
}

// ErrLocked tells that somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// zeros is what Zero writes at once: small enough that a sync of another file does
// not wait long behind it.
var zeros [256 << 10]byte

// Zero writes zeros over [from, to) of a file and syncs each piece, so that later
// writes there change no metadata: that halves the cost of their sync.
func Zero(f File, from, to int64) error {
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if _, err := f.WriteAt(zeros[:n], from); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// ReadFile gives the whole content of a file.
func ReadFile(fs FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}
