//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const containerdSocket = "/run/containerd/containerd.sock"

// packImages makes an archive of each program that runs in a pod. The archives are loaded when a node starts.
func packImages(s *settings, p *progress) error {
	for _, c := range inPods {
		binary, archive := filepath.Join(s.Cache, c.outputs[0]), s.images(c.name+".tar")
		if newer(archive, binary) && newer(archive, s.bin("images")) {
			continue
		}
		_, err := tool(s.bin("images"), "-out", archive, "-name", "docker.io/devcluster/"+c.name+":1",
			"-user", "0:0", "-entrypoint", "/"+c.name, binary+"=/"+c.name)
		if err != nil {
			return err
		}
		p.say("packed %s", archive)
	}
	return nil
}

func newer(file, than string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && !a.ModTime().Before(b.ModTime())
}

// loadImages puts archives (OCI layouts or of docker save) onto every running node.
func loadImages(s *settings, p *progress, archives []string) error {
	nodes := s.running()
	if len(nodes) == 0 {
		return fmt.Errorf("cluster %s has no running node: run \"devcluster up\" first", s.Name)
	}
	var paths []string
	for _, a := range archives {
		path, err := filepath.Abs(a)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
		paths = append(paths, path)
	}
	errs := make([]error, len(nodes))
	var loading sync.WaitGroup
	for n, i := range nodes {
		loading.Go(func() { errs[n] = s.loadOn(i, paths) })
	}
	loading.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p.say("loaded %d image(s) on %d node(s)", len(archives), len(nodes))
	return nil
}

// loadOn reads each archive through standard input: the node need not see the directory that it is in.
func (s *settings) loadOn(i int, archives []string) error {
	for _, a := range archives {
		f, err := os.Open(a)
		if err != nil {
			return err
		}
		cmd, err := s.inNode(i, s.bin("containerd", "ctr"), "-a", containerdSocket, "-n", "k8s.io", "images", "import", "-")
		if err != nil {
			f.Close()
			return err
		}
		cmd.Stdin = f
		out, err := cmd.CombinedOutput()
		f.Close()
		if err != nil {
			return fmt.Errorf("loading %s on %s: %w: %s", a, nodeName(i), err, lastLines(string(out), 3))
		}
	}
	return nil
}
