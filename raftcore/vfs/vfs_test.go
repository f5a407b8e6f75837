package vfs_test

import (
	"testing"

	"github.com/quorate/quorate/raftcore/vfs"
	"github.com/quorate/quorate/raftcore/vfs/vfstest"
)

func TestOS(t *testing.T) {
	vfstest.TestFS(t, func(t *testing.T) (vfs.FS, string) { return vfs.OS{}, t.TempDir() })
}

func TestMem(t *testing.T) {
	vfstest.TestFS(t, func(t *testing.T) (vfs.FS, string) {
		m := vfs.NewMem()
		if err := m.MkdirAll("data"); err != nil {
			t.Fatal(err)
		}
		return m, "data"
	})
}

func TestFaultyWithoutRules(t *testing.T) {
	vfstest.TestFS(t, func(t *testing.T) (vfs.FS, string) {
		return vfs.NewFaulty(vfs.OS{}), t.TempDir()
	})
}
