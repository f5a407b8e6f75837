package vfs_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/quorate/quorate/raftcore/vfs"
)

func TestRulesFailWhatTheyName(t *testing.T) {
	tests := map[string]struct {
		rules string
		want  []error // of six writes to log/1.seg
	}{
		"another operation": {"sync *.seg EIO", []error{nil, nil, nil, nil, nil, nil}},
		"another file":      {"write snap/*.seg EIO", []error{nil, nil, nil, nil, nil, nil}},
		"from the third on": {"write log/*.seg after=2 ENOSPC", []error{nil, nil, syscall.ENOSPC, syscall.ENOSPC, syscall.ENOSPC, syscall.ENOSPC}},
		"only the second":   {"* 1.seg after=1 times=1", []error{nil, syscall.EIO, nil, nil, nil, nil}},
		"two rules": {
			"write *.seg times=1 EROFS; write *.seg after=5 EIO",
			[]error{syscall.EROFS, nil, nil, nil, nil, syscall.EIO},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := vfs.NewMem()
			must(t, m.MkdirAll("data/log"))
			fsys := vfs.NewFaulty(m)
			f, err := fsys.Create("data/log/1.seg")
			must(t, err)
			rules, err := vfs.ParseRules(test.rules)
			must(t, err)
			fsys.Set(rules...)
			for i, want := range test.want {
				if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, want) {
					t.Errorf("write %d gave %v, want %v", i, err, want)
				}
			}
		})
	}
}

func TestShortWriteWritesThePart(t *testing.T) {
	m := vfs.NewMem()
	fsys := vfs.NewFaulty(m, vfs.Rule{Op: vfs.OpWrite, Pattern: "a", Short: 3, Times: 1, Err: syscall.ENOSPC})
	f, err := fsys.Create("a")
	must(t, err)
	if n, err := f.WriteAt([]byte("abcdef"), 0); n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if got, _ := vfs.ReadFile(m, "a"); string(got) != "abc" {
		t.Fatalf("the file holds %q", got)
	}
}

func TestEveryOperationCanFail(t *testing.T) {
	fsys := vfs.NewFaulty(vfs.NewMem())
	f, err := fsys.Create("a")
	must(t, err)
	calls := map[vfs.Op]func() error{
		vfs.OpCreate:  func() error { _, err := fsys.Create("b"); return err },
		vfs.OpOpen:    func() error { _, err := fsys.Open("a"); return err },
		vfs.OpRename:  func() error { return fsys.Rename("a", "b") },
		vfs.OpRemove:  func() error { return fsys.Remove("a") },
		vfs.OpList:    func() error { _, err := fsys.List("."); return err },
		vfs.OpMkdir:   func() error { return fsys.MkdirAll("d") },
		vfs.OpSyncDir: func() error { return fsys.SyncDir(".") },
		vfs.OpLock:    func() error { _, err := fsys.Lock("l"); return err },
		vfs.OpUsage:   func() error { _, err := fsys.Usage("."); return err },
		vfs.OpRead:    func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		vfs.OpWrite:   func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		vfs.OpSync:    func() error { return f.Sync() },
	}
	for _, op := range vfs.Ops() {
		fsys.Set(vfs.Rule{Op: op, Pattern: "*", Err: syscall.EIO})
		if err := calls[op](); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s gave %v", op, err)
		}
	}
}

func TestParseRulesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"sync":             "a pattern",
		"fsync *":          "fsync",
		"sync [":           "pattern",
		"sync * EWHAT":     "EWHAT",
		"sync * after=x":   "number",
		"sync * after=-1":  "number",
		"sync * without=1": "without",
	} {
		if _, err := vfs.ParseRules(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gave %v, want a word about %q", text, err, want)
		}
	}
}
