//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// initCommand is the hidden verb of a node's first process, followed by the settings file and
// the node's number: this is how a node is found again, without a file that may be stale.
const initCommand = "node-init"

// startNode starts node i in namespaces of its own, unless it runs. Its state is kept from before.
func startNode(s *settings, i int) error {
	if _, err := s.initProcess(i); err == nil {
		return nil
	}
	for _, d := range []string{"log", "kubelet", "pod-logs", "containerd", "cni"} {
		if err := os.MkdirAll(s.node(i, d), 0o755); err != nil {
			return err
		}
	}
	if err := writeConfig(s, i); err != nil {
		return err
	}
	if err := makeNodeCgroup(s, i); err != nil {
		return err
	}
	// The node waits at the other end of this pipe until it has a network.
	waiting, ready, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	defer waiting.Close()
	files := []*os.File{waiting}
	if i == 0 {
		door, err := listen(s)
		if err != nil {
			return err
		}
		defer door.Close()
		files = append(files, door)
	}
	pid, err := spawnInit(s, i, files)
	if err != nil {
		return err
	}
	if err := connect(s, i, pid); err != nil {
		return errors.Join(err, stopNode(s, i))
	}
	_, err = ready.Write([]byte{1})
	return err
}

func spawnInit(s *settings, i int, files []*os.File) (pid int, err error) {
	log, err := os.OpenFile(s.node(i, "log", "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", initCommand, s.state("settings.json"), strconv.Itoa(i))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.Dir = log, log, files, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot make the namespaces of %s: %w", nodeName(i), err)
	}
	pid = cmd.Process.Pid
	return pid, cmd.Process.Release()
}

// listen opens the API server's port on the machine's own loopback. Node 0 gets the open socket:
// it belongs to the machine's network, while what node 0 dials belongs to the node's.
func listen(s *settings) (*os.File, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the cluster's API server is reached through %s, which is taken: %w", addr, err)
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

// freePort finds a port for a new cluster: the first free one from the given one on.
func freePort(from int) (int, error) {
	for port := from; port < from+100; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free on 127.0.0.1", from, from+99)
}

// stopNode is a power cut: every process of node i dies at once. Its state stays.
func stopNode(s *settings, i int) error {
	pid, err := s.initProcess(i)
	if err == nil {
		// The first process of a pid namespace takes all others with it.
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		if err := retry(10*time.Second, func() error {
			if _, err := s.initProcess(i); err == nil {
				return fmt.Errorf("%s (process %d) does not die", nodeName(i), pid)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return removeCgroups(s.nodeCgroup(i))
}

var errNotRunning = errors.New("it does not run")

// initProcess returns the machine's process ID of the first process of node i.
func (s *settings) initProcess(i int) (int, error) {
	return findProcess(initCommand, s.state("settings.json"), strconv.Itoa(i))
}

// findProcess finds the process of this program that was started with the given arguments.
func findProcess(args ...string) (int, error) {
	var want bytes.Buffer
	for _, a := range args {
		want.WriteString(a)
		want.WriteByte(0)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, l := range lines {
		b, err := os.ReadFile(l)
		if err != nil {
			continue // it has ended meanwhile
		}
		if _, after, found := bytes.Cut(b, []byte{0}); found && bytes.Equal(after, want.Bytes()) {
			return strconv.Atoi(filepath.Base(filepath.Dir(l)))
		}
	}
	return 0, errNotRunning
}

// running lists the numbers of the nodes that run.
func (s *settings) running() []int {
	var nodes []int
	for i := range maxNodes {
		if _, err := s.initProcess(i); err == nil {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// inNode prepares a command inside node i: its network, mounts, processes and name.
func (s *settings) inNode(i int, args ...string) (*exec.Cmd, error) {
	pid, err := s.initProcess(i)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nodeName(i), err)
	}
	enter := []string{"-t", strconv.Itoa(pid), "--net", "--mount", "--pid", "--uts", "--wd=/", "--"}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+s.nodePath(), "KUBECONFIG="+s.pki("admin.kubeconfig"))
	return cmd, nil
}

func (s *settings) nodePath() string {
	return s.bin("containerd") + ":" + s.bin() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
