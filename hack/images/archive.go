package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// dockerManifest is what docker load reads in manifest.json.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// writeArchive writes an OCI layout whose blobs are also named by a manifest.json.
func writeArchive(w io.Writer, img v1.Image, tag name.Tag) error {
	blobs, err := blobsOf(img)
	if err != nil {
		return err
	}
	index, err := indexOf(img, tag)
	if err != nil {
		return err
	}
	docker, err := json.Marshal([]dockerManifest{{
		Config:   blobs[1].path,
		RepoTags: []string{tag.String()},
		Layers:   paths(blobs[2:]),
	}})
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, e := range append([]entry{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index},
		{"manifest.json", docker},
	}, blobs...) {
		h := &tar.Header{Name: e.path, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(e.content)), ModTime: built}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := out.Write(e.content); err != nil {
			return err
		}
	}
	return out.Close()
}

type entry struct {
	path    string
	content []byte
}

func paths(entries []entry) []string {
	var p []string
	for _, e := range entries {
		p = append(p, e.path)
	}
	return p
}

// blobsOf returns the manifest, the configuration and then the layers.
func blobsOf(img v1.Image) ([]entry, error) {
	manifest, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	configDigest, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	blobs := []entry{{blobPath(digest), manifest}, {blobPath(configDigest), config}}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		e, err := layerEntry(l)
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, e)
	}
	return blobs, nil
}

func layerEntry(l v1.Layer) (entry, error) {
	digest, err := l.Digest()
	if err != nil {
		return entry{}, err
	}
	r, err := l.Compressed()
	if err != nil {
		return entry{}, err
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	return entry{blobPath(digest), content}, err
}

func blobPath(h v1.Hash) string { return fmt.Sprintf("blobs/%s/%s", h.Algorithm, h.Hex) }

// indexOf names the image for containerd (the full name) and for OCI tools (the tag). The name is
// the one that was given: Name() would write docker.io as index.docker.io, where no kubelet looks.
func indexOf(img v1.Image, tag name.Tag) ([]byte, error) {
	return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: img,
		Descriptor: v1.Descriptor{
			Platform: &v1.Platform{Architecture: "amd64", OS: "linux"},
			Annotations: map[string]string{
				"io.containerd.image.name":          tag.String(),
				"org.opencontainers.image.ref.name": tag.TagStr(),
			},
		},
	}).RawManifest()
}

// push sends the image of an archive to a registry under another name.
func push(archive, to string) error {
	ref, err := name.ParseReference(to)
	if err != nil {
		return fmt.Errorf("-push %q: %w", to, err)
	}
	img, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return fmt.Errorf("reading %s: %w", archive, err)
	}
	if err := remote.Write(ref, img, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("sending %s to %s: %w", archive, to, err)
	}
	return nil
}
