package vfstest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/vfs"
)

// TestFS runs the suite. open gives a file system and an empty directory in it.
func TestFS(t *testing.T, open func(t *testing.T) (fsys vfs.FS, dir string)) {
	tests := map[string]func(t *testing.T, fsys vfs.FS, dir string){
		"a file gives back what was written":    readsBack,
		"a write beyond the end leaves zeros":   gap,
		"reading ends with EOF":                 eof,
		"create empties a file":                 createEmpties,
		"a missing file is ErrNotExist":         missing,
		"rename replaces":                       renameReplaces,
		"remove deletes":                        removes,
		"list is sorted and has directories":    lists,
		"mkdir makes parents and is repeatable": mkdir,
		"an open file outlives its name":        outlives,
		"a file opened to read refuses writes":  readOnly,
		"a closed file refuses":                 closed,
		"a lock excludes until it is closed":    locks,
		"usage is plausible":                    usage,
		"zero overwrites and grows":             zero,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fsys, dir := open(t)
			test(t, fsys, dir)
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, fsys vfs.FS, name, content string) vfs.File {
	t.Helper()
	f, err := fsys.Create(name)
	check(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	check(t, err)
	check(t, f.Sync())
	return f
}

func expect(t *testing.T, fsys vfs.FS, name, want string) {
	t.Helper()
	got, err := vfs.ReadFile(fsys, name)
	check(t, err)
	if string(got) != want {
		t.Fatalf("%s holds %q, want %q", name, got, want)
	}
}

func readsBack(t *testing.T, fsys vfs.FS, dir string) {
	name := dir + "/a"
	f := create(t, fsys, name, "hello world")
	_, err := f.WriteAt([]byte("W"), 6)
	check(t, err)
	check(t, f.Close())
	expect(t, fsys, name, "hello World")
	f, err = fsys.OpenReadWrite(name)
	check(t, err)
	_, err = f.WriteAt([]byte("H"), 0)
	check(t, err)
	check(t, f.Close())
	expect(t, fsys, name, "Hello World")
}

func gap(t *testing.T, fsys vfs.FS, dir string) {
	f := create(t, fsys, dir+"/a", "ab")
	_, err := f.WriteAt([]byte("z"), 4)
	check(t, err)
	size, err := f.Size()
	check(t, err)
	if size != 5 {
		t.Fatalf("size is %d, want 5", size)
	}
	check(t, f.Close())
	expect(t, fsys, dir+"/a", "ab\x00\x00z")
}

func eof(t *testing.T, fsys vfs.FS, dir string) {
	f := create(t, fsys, dir+"/a", "abc")
	defer f.Close()
	buf := make([]byte, 4)
	if n, err := f.ReadAt(buf, 1); n != 2 || err != io.EOF {
		t.Fatalf("a read across the end gave %d, %v", n, err)
	}
	if n, err := f.ReadAt(buf, 9); n != 0 || err != io.EOF {
		t.Fatalf("a read beyond the end gave %d, %v", n, err)
	}
	if n, err := f.ReadAt(buf[:2], 0); n != 2 || err != nil {
		t.Fatalf("a read before the end gave %d, %v", n, err)
	}
}

func createEmpties(t *testing.T, fsys vfs.FS, dir string) {
	check(t, create(t, fsys, dir+"/a", "old").Close())
	f, err := fsys.Create(dir + "/a")
	check(t, err)
	check(t, f.Close())
	expect(t, fsys, dir+"/a", "")
}

func missing(t *testing.T, fsys vfs.FS, dir string) {
	_, openErr := fsys.Open(dir + "/none")
	_, rwErr := fsys.OpenReadWrite(dir + "/none")
	_, createErr := fsys.Create(dir + "/none/file")
	_, listErr := fsys.List(dir + "/none")
	errs := map[string]error{
		"Open": openErr, "OpenReadWrite": rwErr, "Create": createErr, "List": listErr,
		"Rename": fsys.Rename(dir+"/none", dir+"/other"), "Remove": fsys.Remove(dir + "/none"),
	}
	for op, err := range errs {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of a missing name gave %v", op, err)
		}
	}
}

func renameReplaces(t *testing.T, fsys vfs.FS, dir string) {
	check(t, create(t, fsys, dir+"/a", "new").Close())
	check(t, create(t, fsys, dir+"/b", "old").Close())
	check(t, fsys.Rename(dir+"/a", dir+"/b"))
	check(t, fsys.SyncDir(dir))
	expect(t, fsys, dir+"/b", "new")
	if _, err := fsys.Open(dir + "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the old name is still there: %v", err)
	}
}

func removes(t *testing.T, fsys vfs.FS, dir string) {
	check(t, create(t, fsys, dir+"/a", "x").Close())
	check(t, fsys.Remove(dir+"/a"))
	check(t, fsys.SyncDir(dir))
	if _, err := fsys.Open(dir + "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the file is still there: %v", err)
	}
	check(t, fsys.MkdirAll(dir+"/sub"))
	check(t, create(t, fsys, dir+"/sub/a", "x").Close())
	if err := fsys.Remove(dir + "/sub"); err == nil {
		t.Fatal("a directory that is not empty was removed")
	}
	check(t, fsys.Remove(dir+"/sub/a"))
	check(t, fsys.Remove(dir+"/sub"))
}

func lists(t *testing.T, fsys vfs.FS, dir string) {
	for _, n := range []string{"c", "a"} {
		check(t, create(t, fsys, dir+"/"+n, "x").Close())
	}
	check(t, fsys.MkdirAll(dir+"/b"))
	got, err := fsys.List(dir)
	check(t, err)
	if d := cmp.Diff([]string{"a", "b", "c"}, got); d != "" {
		t.Fatalf("list (-want +got):\n%s", d)
	}
}

func mkdir(t *testing.T, fsys vfs.FS, dir string) {
	check(t, fsys.MkdirAll(dir+"/x/y/z"))
	check(t, fsys.MkdirAll(dir+"/x/y/z"))
	check(t, create(t, fsys, dir+"/x/y/z/a", "deep").Close())
	expect(t, fsys, dir+"/x/y/z/a", "deep")
	if err := fsys.MkdirAll(dir + "/x/y/z/a"); err == nil {
		t.Fatal("a directory was made over a file")
	}
}

func outlives(t *testing.T, fsys vfs.FS, dir string) {
	f := create(t, fsys, dir+"/a", "still here")
	check(t, fsys.Remove(dir+"/a"))
	buf := make([]byte, 5)
	_, err := f.ReadAt(buf, 0)
	check(t, err)
	if !bytes.Equal(buf, []byte("still")) {
		t.Fatalf("the open file gave %q", buf)
	}
	check(t, f.Close())
}

func readOnly(t *testing.T, fsys vfs.FS, dir string) {
	check(t, create(t, fsys, dir+"/a", "x").Close())
	f, err := fsys.Open(dir + "/a")
	check(t, err)
	defer f.Close()
	if _, err := f.WriteAt([]byte("y"), 0); err == nil {
		t.Fatal("a write to a file that was opened to read went well")
	}
}

func closed(t *testing.T, fsys vfs.FS, dir string) {
	f := create(t, fsys, dir+"/a", "x")
	check(t, f.Close())
	if _, err := f.WriteAt([]byte("y"), 0); err == nil {
		t.Error("a write to a closed file went well")
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a read of a closed file went well")
	}
	if err := f.Close(); err == nil {
		t.Error("a second close went well")
	}
}

func locks(t *testing.T, fsys vfs.FS, dir string) {
	l, err := fsys.Lock(dir + "/LOCK")
	check(t, err)
	if _, err := fsys.Lock(dir + "/LOCK"); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("a second lock gave %v, want ErrLocked", err)
	}
	check(t, l.Close())
	l, err = fsys.Lock(dir + "/LOCK")
	check(t, err)
	check(t, l.Close())
}

func usage(t *testing.T, fsys vfs.FS, dir string) {
	u, err := fsys.Usage(dir)
	check(t, err)
	if u.Total == 0 || u.Free > u.Total {
		t.Fatalf("usage is %+v", u)
	}
}

func zero(t *testing.T, fsys vfs.FS, dir string) {
	f := create(t, fsys, dir+"/a", "abcdef")
	defer f.Close()
	const end = 600 << 10 // more than one piece
	check(t, vfs.Zero(f, 3, end))
	got, err := vfs.ReadFile(fsys, dir+"/a")
	check(t, err)
	if want := append([]byte("abc"), make([]byte, end-3)...); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, want %d of which only the first three are not zero", len(got), len(want))
	}
}
