package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// built is the time stamp of everything in an image: the same sources give the same digest.
var built = time.Unix(1700000000, 0).UTC()

// spec says what goes into an image.
type spec struct {
	name       string   // NAME:TAG
	entrypoint []string // at least the binary's path in the image
	user       string
	labels     []string // KEY=VALUE
	files      []string // SOURCE=/PATH/IN/IMAGE
}

// write packs the image into the archive at out, all at once or not at all.
func (s spec) write(out string) error {
	tag, err := name.NewTag(s.name)
	if err != nil {
		return fmt.Errorf("-name %q: %w", s.name, err)
	}
	img, err := s.image()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone when all went well
	if err := writeArchive(f, img, tag); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), out)
}

func (s spec) image() (v1.Image, error) {
	layer, err := s.layer()
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: built}, CreatedBy: "hack/images"},
	})
	if err != nil {
		return nil, err
	}
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS = "amd64", "linux"
	file.Created = v1.Time{Time: built}
	file.Config = config
	return mutate.ConfigFile(img, file)
}

func (s spec) config() (v1.Config, error) {
	c := v1.Config{
		Entrypoint: s.entrypoint,
		User:       s.user,
		WorkingDir: "/",
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		Labels:     map[string]string{},
	}
	for _, l := range s.labels {
		k, v, found := strings.Cut(l, "=")
		if !found {
			return c, fmt.Errorf("-label %q: want KEY=VALUE", l)
		}
		c.Labels[k] = v
	}
	return c, nil
}

// layer holds the files, the directories above them, and what a program without a
// distribution around it still looks for: /tmp and the names of root and nonroot.
func (s spec) layer() (v1.Layer, error) {
	var b bytes.Buffer
	w := layerWriter{tar: tar.NewWriter(&b), made: map[string]bool{}}
	w.dir("tmp", 0o1777)
	w.file("etc/passwd", []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"), 0o644)
	w.file("etc/group", []byte("root:x:0:\nnonroot:x:65532:\n"), 0o644)
	for _, f := range s.files {
		src, dst, found := strings.Cut(f, "=")
		if !found || !path.IsAbs(dst) {
			return nil, fmt.Errorf("file %q: want SOURCE=/PATH/IN/IMAGE", f)
		}
		content, err := os.ReadFile(src)
		if err != nil {
			return nil, err
		}
		w.file(strings.TrimPrefix(path.Clean(dst), "/"), content, 0o755)
	}
	if err := w.close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}

// layerWriter keeps the first error, as bufio does.
type layerWriter struct {
	tar  *tar.Writer
	made map[string]bool
	err  error
}

func (w *layerWriter) dir(name string, mode int64) {
	if name == "." || w.made[name] {
		return
	}
	w.dir(path.Dir(name), 0o755)
	w.made[name] = true
	w.header(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode})
}

func (w *layerWriter) file(name string, content []byte, mode int64) {
	w.dir(path.Dir(name), 0o755)
	w.header(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))})
	if w.err == nil {
		_, w.err = w.tar.Write(content)
	}
}

func (w *layerWriter) header(h *tar.Header) {
	h.ModTime = built
	if w.err == nil {
		w.err = w.tar.WriteHeader(h)
	}
}

func (w *layerWriter) close() error {
	if w.err != nil {
		return w.err
	}
	return w.tar.Close()
}
