//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// superviseCommand is the hidden verb of the process that starts a node's components. It is not the
// node's first process, so that it may wait for its children while the first one reaps orphans.
const superviseCommand = "node-supervise"

// The descriptors that a node inherits.
const (
	readyFD = 3 // readable when the node has its network
	doorFD  = 4 // node 0: the listening socket on the machine's loopback
)

// nodeInit is the first process of a node. It furnishes the node's mount namespace, and then
// reaps processes until the supervisor ends.
func nodeInit(settingsFile string, i int) error {
	s, err := readSettings(settingsFile)
	if err != nil {
		return err
	}
	if err := furnish(s, i); err != nil {
		return fmt.Errorf("%s: %w", nodeName(i), err)
	}
	if n, err := os.NewFile(readyFD, "ready").Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("%s got no network: %w", nodeName(i), err)
	}
	// Forwarding is a setting of the node's own network namespace.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", superviseCommand, settingsFile, strconv.Itoa(i))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if i == 0 {
		cmd.ExtraFiles = []*os.File{nil, os.NewFile(doorFD, "door")}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for {
		pid, err := syscall.Wait4(-1, nil, 0, nil)
		if pid == cmd.Process.Pid || errors.Is(err, syscall.ECHILD) {
			return errors.New("the supervisor ended: see the log above")
		}
	}
}

func readSettings(file string) (*settings, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var s settings
	return &s, json.Unmarshal(b, &s)
}

// furnish gives the node mounts of its own over what a node writes to.
func furnish(s *settings, i int) error {
	if err := syscall.Sethostname([]byte(nodeName(i))); err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cutting the mounts off from the machine's: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	cache, err := os.Open(s.Cache)
	if err != nil {
		return err
	}
	defer cache.Close()
	// Empty at every start, as after a power cut. Pods' addresses are leased in /var/lib/cni.
	for _, dir := range []string{"/run", "/var/lib", "/var/log"} {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	binds := [][2]string{
		{s.node(i, "kubelet"), "/var/lib/kubelet"},
		{s.node(i, "pod-logs"), "/var/log/pods"},
	}
	if _, err := os.Stat(s.Cache); err != nil {
		// A cache under one of the three was just hidden: bring it back at its place.
		fd := fmt.Sprintf("/proc/self/fd/%d", cache.Fd())
		binds = append([][2]string{{fd, s.Cache}}, binds...)
	}
	for _, b := range binds {
		if err := bind(b[0], b[1]); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	if err := onlyOwnNames(s, i); err != nil {
		return err
	}
	if err := shieldSysctls(s.node(i, "sysctl")); err != nil {
		return err
	}
	// The kubelet's volumes are mounted into containers: the node's mounts are shared inside the node.
	return syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
}

// onlyOwnNames gives the node a resolv.conf that fails at once: the machine's servers cannot be reached
// from the node, and a pull of an image that was not loaded would wait for them.
func onlyOwnNames(s *settings, i int) error {
	const conf = "/etc/resolv.conf"
	err := syscall.Mount(s.node(i, "resolv.conf"), conf, "", syscall.MS_BIND, "")
	if errors.Is(err, syscall.ENOENT) {
		return nil // there is none, or it is a link into /run, which is hidden
	}
	return err
}

func bind(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", from, to, err)
	}
	return nil
}

// shieldSysctls puts a file of the node's own over each machine-wide setting that the kubelet changes.
func shieldSysctls(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	} {
		machines := filepath.Join("/proc/sys", name)
		value, err := os.ReadFile(machines)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		own := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(own, value, 0o644); err != nil {
			return err
		}
		if err := syscall.Mount(own, machines, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("shielding %s: %w", machines, err)
		}
	}
	return nil
}

// serveDoor leads connections to the machine's loopback port on to the API server in this node.
func serveDoor(door net.Listener) {
	for {
		outside, err := door.Accept()
		if err != nil {
			return
		}
		go func() {
			inside, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", apiPort))
			if err != nil {
				outside.Close()
				return
			}
			go pipe(inside, outside)
			pipe(outside, inside)
		}()
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}
