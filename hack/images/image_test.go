package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestArchiveReadsBack(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "binary")
	if err := os.WriteFile(binary, []byte("the program"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.tar")
	args := []string{
		"-name", "docker.io/quorate/x:v1", "-entrypoint", "/x", "-entrypoint", "serve",
		"-label", "a=b=c", binary + "=/bin/x",
	}
	if err := run(append([]string{"-out", out}, args...)); err != nil {
		t.Fatal(err)
	}

	img, err := tarball.ImageFromPath(out, nil) // as docker load reads it
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(config.Config.Entrypoint, " "); got != "/x serve" {
		t.Errorf("entrypoint is %q", got)
	}
	if config.Config.User != "65532:65532" || config.Config.Labels["a"] != "b=c" {
		t.Errorf("user %q, labels %v", config.Config.User, config.Config.Labels)
	}
	if index := string(entriesOf(t, read(t, out))["index.json"]); !strings.Contains(index, `"io.containerd.image.name":"docker.io/quorate/x:v1"`) {
		t.Errorf("containerd would not find the name it was given: %s", index)
	}
	files := filesOf(t, img)
	if string(files["bin/x"]) != "the program" {
		t.Errorf("bin/x holds %q; there are %d files", files["bin/x"], len(files))
	}

	again := filepath.Join(dir, "again.tar")
	if err := run(append([]string{"-out", again}, args...)); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, out), read(t, again); !bytes.Equal(a, b) {
		t.Error("two archives of the same input differ")
	}
	if e := entriesOf(t, read(t, out)); e["oci-layout"] == nil || e["manifest.json"] == nil {
		t.Error("the archive is not both an OCI layout and one of docker save")
	}
}

func TestBadInputIsNamed(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "o.tar")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-out", out, "-name", "x:1"}, "SOURCE=/PATH"},
		{[]string{"-out", out, "-name", "UPPER:1", "a=/a"}, "UPPER"},
		{[]string{"-out", out, "-name", "x:1", "a"}, `"a"`},
		{[]string{"-out", out, "-name", "x:1", filepath.Join(dir, "gone") + "=/a"}, "gone"},
		{[]string{"-out", out, "-name", "x:1", "-label", "novalue", "/etc/hostname=/a"}, "novalue"},
	} {
		err := run(c.args)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got error %v, want one that names %s", c.args, err, c.want)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v: left an archive behind", c.args)
		}
	}
}

func filesOf(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	r := mutate.Extract(img)
	defer r.Close()
	files := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func entriesOf(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	entries := map[string][]byte{}
	for tr := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if entries[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
