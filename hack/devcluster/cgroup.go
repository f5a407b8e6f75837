//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// cgroupParent is the directory, in every hierarchy, above those of all clusters.
const cgroupParent = "/quorate-devcluster"

// hierarchy is one mounted cgroup file system.
type hierarchy struct {
	dir     string
	unified bool // cgroup v2
}

// makeNodeCgroup makes the directory that the kubelet of node i works under.
func makeNodeCgroup(s *settings, i int) error {
	hs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hs {
		dir := h.dir
		for _, step := range strings.Split(strings.Trim(s.nodeCgroup(i), "/"), "/") {
			if err := h.delegate(dir); err != nil {
				return err
			}
			dir = filepath.Join(dir, step)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("cannot make a cgroup: %w", err)
			}
			if err := fillCPUSet(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets the children of a v2 cgroup use the controllers that the kubelet needs. At the root of a
// machine they are enabled already, by systemd; only below it they are ours to set.
func (h hierarchy) delegate(dir string) error {
	if !h.unified {
		return nil
	}
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	control := filepath.Join(dir, "cgroup.subtree_control")
	enabled, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(available)) {
		wanted := slices.Contains([]string{"cpu", "cpuset", "hugetlb", "io", "memory", "pids"}, c)
		if !wanted || slices.Contains(strings.Fields(string(enabled)), c) {
			continue
		}
		if err := os.WriteFile(control, []byte("+"+c), 0o644); err != nil {
			return fmt.Errorf("cannot give cgroup controller %s to the nodes (%s): %w; in a container, move its processes out of the root cgroup first", c, control, err)
		}
	}
	return nil
}

// fillCPUSet gives a new v1 cpuset its parent's processors: an empty one takes no process.
func fillCPUSet(dir string) error {
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
		own := filepath.Join(dir, f)
		b, err := os.ReadFile(own)
		if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(b)) != "" {
			continue
		}
		if err != nil {
			return err
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), f))
		if errors.Is(err, fs.ErrNotExist) {
			continue // v2: empty means the parent's
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(own, parent, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the directories under name, which has no process any more, or is about to have none.
func removeCgroups(name string) error {
	hs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hs {
		if err := removeTree(filepath.Join(h.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes a cgroup and those under it. A killed process leaves its cgroup a moment after its death.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what is gone already is as good as removed
	})
	if err != nil {
		return err
	}
	slices.Reverse(dirs) // children before parents
	for _, d := range dirs {
		err := retry(10*time.Second, func() error {
			if err := syscall.Rmdir(d); err != nil && !errors.Is(err, syscall.ENOENT) {
				return err
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("cgroup %s cannot be removed: %w", d, err)
		}
	}
	return nil
}

// removeIfEmpty removes the directory of all clusters after the last of them.
func removeIfEmpty(name string) {
	hs, _ := hierarchies()
	for _, h := range hs {
		_ = syscall.Rmdir(filepath.Join(h.dir, name))
	}
}

// hierarchies lists the mounted cgroup file systems. A v2 one without controllers
// beside v1 ones ("hybrid") is left out of delegation by having none to enable.
func hierarchies() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []hierarchy
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		mount, kind := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || len(kind) < 1 {
			continue
		}
		if kind[0] == "cgroup" || kind[0] == "cgroup2" {
			found = append(found, hierarchy{dir: mount[4], unified: kind[0] == "cgroup2"})
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup file system is mounted: a node cannot run here")
	}
	return found, nil
}
