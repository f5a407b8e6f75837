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
	unified bool // the controllers are in it: cgroup v2
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
			if err := h.delegate(s, dir); err != nil {
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

// delegate lets the children of a v2 cgroup use the controllers that the kubelet needs. At the root of
// most machines systemd has done so; what is done here is noted, for undelegate.
func (h hierarchy) delegate(s *settings, dir string) error {
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
		if dir != h.dir {
			continue // it goes with the directory
		}
		if err := note(s.delegated(), control+" "+c); err != nil {
			return err
		}
	}
	return nil
}

// delegated is the file that lists what was enabled at the root of the hierarchy.
func (s *settings) delegated() string { return filepath.Join(s.Cache, "cgroup-delegated") }

func note(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// undelegate disables again what delegate enabled at the root.
func undelegate(s *settings) error {
	b, err := os.ReadFile(s.delegated())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		control, c, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := os.WriteFile(control, []byte("-"+c), 0o644); err != nil {
			return fmt.Errorf("cannot take cgroup controller %s back (%s): %w", c, control, err)
		}
	}
	return os.Remove(s.delegated())
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

// leaveCgroups removes the directory above those of all clusters, after the last of them.
func leaveCgroups(s *settings) error {
	hs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range hs {
		err := syscall.Rmdir(filepath.Join(h.dir, cgroupParent))
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.ENOTEMPTY) {
			return nil // another cluster is there
		}
		if err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
	}
	return undelegate(s)
}

// hierarchies lists the mounted cgroup file systems. A v2 one beside v1 ones ("hybrid") is no place for
// controllers: runc works with those of v1.
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
	if slices.ContainsFunc(found, func(h hierarchy) bool { return !h.unified }) {
		for i := range found {
			found[i].unified = false
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup file system is mounted: a node cannot run here")
	}
	return found, nil
}
