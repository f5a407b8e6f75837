package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync leaves out the time of change, which would cost a write to the file
// system's journal each time.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
