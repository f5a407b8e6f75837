//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// kubernetesVersion is the release that components/kube/go.mod pins; a test compares them.
const kubernetesVersion = "1.37.2"

// component is one thing to build: binaries from one module, or an image of one of them.
type component struct {
	name     string
	what     string   // for people
	module   string   // its directory, from hack/devcluster
	packages []string // one for each output
	outputs  []string // files in the cache
	flags    []string // of go build
	links    []string // other names of the first output
}

var (
	kube = component{
		name:     "kube",
		what:     "etcd, API server, kubelet and the other parts of Kubernetes " + kubernetesVersion + " (about 9 min the first time)",
		module:   "components/kube",
		packages: []string{"."},
		outputs:  []string{"bin/hyperkube"},
		flags:    []string{"-ldflags", "-s -w" + kubernetesVersionFlags()},
		links: []string{
			"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy",
			"kube-scheduler", "kubectl", "kubelet", "volume-provisioner",
		},
	}
	containerRuntime = component{
		name:   "containerd",
		what:   "containerd (about 1 min the first time)",
		module: "components/containerd",
		packages: []string{
			"github.com/containerd/containerd/v2/cmd/containerd",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containerd/containerd/v2/cmd/ctr",
		},
		outputs: []string{"bin/containerd/containerd", "bin/containerd/containerd-shim-runc-v2", "bin/containerd/ctr"},
		flags:   []string{"-tags", "no_btrfs no_zfs no_devmapper", "-ldflags", "-s -w"},
	}
	packer = plain("packer", "the image packer", "../images", "bin/images")
	inPods = []component{
		plain("coredns", "CoreDNS (about 1 min the first time)", "components/coredns", "bin/pods/coredns"),
		plain("pause", "the pods' pause process", "components/pause", "bin/pods/pause"),
		plain("probe", "the devcluster's test server", "components/probe", "bin/pods/probe"),
	}
)

func plain(name, what, module, output string) component {
	return component{name: name, what: what, module: module, packages: []string{"."}, outputs: []string{output}, flags: []string{"-ldflags", "-s -w"}}
}

// kubernetesVersionFlags sets what a release build sets: the version checks of charts read it.
func kubernetesVersionFlags() string {
	parts := strings.Split(kubernetesVersion, ".")
	var b strings.Builder
	for _, p := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		fmt.Fprintf(&b, " -X %s.gitVersion=v%s -X %s.gitMajor=%s -X %s.gitMinor=%s -X %s.gitTreeState=clean",
			p, kubernetesVersion, p, parts[0], p, parts[1], p)
	}
	return b.String()
}

// buildAssets builds what envtest needs: etcd, kube-apiserver, kubectl.
func buildAssets(s *settings, p *progress) error {
	_, err := buildAll(s, p, kube)
	return err
}

// buildCluster builds everything that a cluster with nodes needs. A second call only compares keys.
func buildCluster(s *settings, p *progress) error {
	built, err := buildAll(s, p, append([]component{kube, containerRuntime, packer}, inPods...)...)
	if err != nil {
		return err
	}
	if built == 0 {
		p.say("components are built already (%s)", s.bin())
	}
	return packImages(s, p)
}

func buildAll(s *settings, p *progress, components ...component) (built int, err error) {
	unlock, err := lock(filepath.Join(s.Cache, "build.lock"), p)
	if err != nil {
		return 0, err
	}
	defer unlock()
	for _, c := range components {
		did, err := c.build(s, p)
		if err != nil {
			return built, err
		}
		if did {
			built++
		}
	}
	return built, nil
}

// lock lets one process at a time change what is built.
func lock(path string, p *progress) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	fd := int(f.Fd())
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		p.say("another build is running: waiting for it")
		err = syscall.Flock(fd, syscall.LOCK_EX)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// build builds the component unless its key says that the cache has it.
func (c component) build(s *settings, p *progress) (did bool, err error) {
	key, err := c.key(s)
	if err != nil {
		return false, err
	}
	stamp := s.bin("." + c.name + ".key")
	if had, err := os.ReadFile(stamp); err == nil && string(had) == key && c.complete(s) {
		return false, nil
	}
	// Until the build is whole, the cache must not be taken for the former one.
	if err := os.Remove(stamp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	var compiled lineCounter
	end := p.long("building "+c.what, func() string { return fmt.Sprintf(", %d packages compiled", compiled.lines.Load()) })
	defer end()
	for i, pkg := range c.packages {
		if err := c.goBuild(s, pkg, filepath.Join(s.Cache, c.outputs[i]), &compiled); err != nil {
			return false, err
		}
	}
	for _, l := range c.links {
		if err := relink(filepath.Base(c.outputs[0]), s.bin(l)); err != nil {
			return false, err
		}
	}
	return true, os.WriteFile(stamp, []byte(key), 0o644)
}

func (c component) goBuild(s *settings, pkg, out string, compiled *lineCounter) error {
	args := append([]string{"-n", "5", "go", "build", "-v", "-trimpath"}, c.flags...)
	cmd := exec.Command("nice", append(args, "-o", out+".new", pkg)...)
	cmd.Dir = filepath.Join(s.Source, c.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOOS=linux", "GOARCH=")
	var log bytes.Buffer
	cmd.Stdout = &log
	cmd.Stderr = io.MultiWriter(&log, compiled)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s in %s: %w; the last lines:\n%s", pkg, cmd.Dir, err, lastLines(log.String(), 15))
	}
	return os.Rename(out+".new", out)
}

func relink(target, link string) error {
	if had, err := os.Readlink(link); err == nil && had == target {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, link)
}

func (c component) complete(s *settings) bool {
	for _, o := range c.outputs {
		if _, err := os.Stat(filepath.Join(s.Cache, o)); err != nil {
			return false
		}
	}
	return true
}

// key tells two states of the component's inputs apart: its files, its flags and the Go release.
func (c component) key(s *settings) (string, error) {
	version, err := exec.Command("go", "env", "GOVERSION", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("go is needed to build the components: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q %q\n", version, c.flags, c.packages, c.outputs)
	err = filepath.WalkDir(filepath.Join(s.Source, c.module), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %x\n", d.Name(), sha256.Sum256(b))
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

// lineCounter counts what "go build -v" prints: a line for each package that it compiled.
type lineCounter struct{ lines atomic.Int64 }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.lines.Add(int64(bytes.Count(b, []byte("\n"))))
	return len(b), nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// tool runs a command and returns its output, which is part of the error when it fails.
func tool(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		shown := slices.Clone(args)
		return string(out), fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(shown, " "), err, lastLines(string(out), 5))
	}
	return string(out), nil
}
