//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// up builds what is missing and brings up a cluster with at least n nodes. What runs already is left alone.
func up(s *settings, p *progress, n int) error {
	if n < 1 || n > maxNodes {
		return fmt.Errorf("%d nodes: from 1 to %d are possible", n, maxNodes)
	}
	if err := prepareHost(p); err != nil {
		return err
	}
	if err := buildCluster(s, p); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(s.Cache, s.Name+".lock"), p)
	if err != nil {
		return err
	}
	defer unlock()
	fresh := len(s.running()) < n
	if err := prepareState(s, s.insideURL); err != nil {
		return err
	}
	for i := range n {
		if err := startNode(s, i); err != nil {
			return err
		}
	}
	if !fresh && s.patiently(0, "get", "--raw", "/readyz") == nil {
		p.say("cluster %s is up already, %d node(s), API server at %s", s.Name, len(s.running()), s.apiURL())
		return nil
	}
	return waitReady(s, p, n)
}

// prepareState makes the cluster's directory, its port, its certificates and its kubeconfig. Components
// reach the API server at server.
func prepareState(s *settings, server func() string) error {
	if s.Port == 0 {
		port, err := freePort(firstPort)
		if err != nil {
			return err
		}
		s.Port = port
	}
	if err := s.remember(); err != nil {
		return err
	}
	if err := makePKI(s.state("pki"), server()); err != nil {
		return err
	}
	if err := os.MkdirAll(s.state("volumes"), 0o755); err != nil {
		return err
	}
	return writeKubeconfig(s)
}

// writeKubeconfig writes the user's kubeconfig: the administrator's, through the machine's loopback.
func writeKubeconfig(s *settings) error {
	b, err := os.ReadFile(s.pki("admin.kubeconfig"))
	if err != nil {
		return err
	}
	return os.WriteFile(s.kubeconfig(), []byte(strings.ReplaceAll(string(b), s.insideURL(), s.apiURL())), 0o600)
}

func waitReady(s *settings, p *progress, n int) error {
	if err := s.waitForAPIServer(); err != nil {
		return errors.Join(err, fmt.Errorf("the logs are in %s", s.node(0, "log")))
	}
	p.say("API server is ready at %s", s.apiURL())
	addons, err := render("addons.yaml", nodeConfig{DNS: dnsServiceIP})
	if err != nil {
		return err
	}
	apply := s.kubectl("apply", "-f", "-")
	apply.Stdin = strings.NewReader(string(addons))
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("applying CoreDNS and the storage class: %w: %s", err, lastLines(string(out), 5))
	}
	var nodes []string
	for i := range n {
		nodes = append(nodes, "node/"+nodeName(i))
	}
	wait := append([]string{"wait", "--for=condition=Ready", "--timeout=5s"}, nodes...)
	if err := s.patiently(2*time.Minute, wait...); err != nil {
		return errors.Join(err, fmt.Errorf("the logs are in %s", s.state("n*", "log")))
	}
	p.say("%d node(s) are Ready", n)
	if err := s.patiently(2*time.Minute, "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s"); err != nil {
		return err
	}
	p.say("CoreDNS is ready")
	return nil
}

func (s *settings) waitForAPIServer() error {
	if err := waitForAPI(s.apiURL(), time.Minute); err != nil {
		return err
	}
	return s.patiently(time.Minute, "get", "--raw", "/readyz")
}

// kubectl prepares a kubectl command as the administrator.
func (s *settings) kubectl(args ...string) *exec.Cmd {
	return exec.Command(s.bin("kubectl"), append([]string{"--kubeconfig", s.kubeconfig()}, args...)...)
}

// patiently repeats a kubectl command until it succeeds.
func (s *settings) patiently(limit time.Duration, args ...string) error {
	return retry(limit, func() error {
		if out, err := s.kubectl(args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, lastLines(string(out), 5))
		}
		return nil
	})
}

// down stops the cluster and removes its state, or keeps it for the next up.
func down(s *settings, p *progress, keep bool) error {
	unlock, err := lock(filepath.Join(s.Cache, s.Name+".lock"), p)
	if err != nil {
		return err
	}
	defer unlock()
	stopped := len(s.running())
	// Node 0 last: the links of the others are in it.
	for i := maxNodes - 1; i >= 0; i-- {
		if err := stopNode(s, i); err != nil {
			return err
		}
	}
	if err := removeCgroups(cgroupParent + "/" + s.Name); err != nil {
		return err
	}
	if err := leaveCgroups(s); err != nil {
		return err
	}
	if !keep {
		if err := removeState(s); err != nil {
			return err
		}
	}
	switch {
	case stopped == 0:
		p.say("cluster %s is not running", s.Name)
	case keep:
		p.say("cluster %s is stopped; its state is kept in %s", s.Name, s.state())
	default:
		p.say("cluster %s is gone; what was built stays in %s", s.Name, s.Cache)
	}
	return nil
}

func removeState(s *settings) error {
	if err := os.RemoveAll(s.state()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.Cache, s.Name+".lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Dir(s.state())) // the directory of all clusters, after the last
	return nil
}

// status prints what runs.
func status(s *settings) error {
	nodes := s.running()
	if len(nodes) == 0 {
		fmt.Printf("cluster %s is not running\n", s.Name)
		return nil
	}
	fmt.Printf("cluster %s: %d node(s) run, API server at %s, kubeconfig %s\n", s.Name, len(nodes), s.apiURL(), s.kubeconfig())
	cmd := s.kubectl("get", "nodes", "-o", "wide")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// env prints what a shell needs to use the cluster.
func env(s *settings) {
	fmt.Printf("export KUBECONFIG='%s'\nexport PATH='%s':\"$PATH\"\n", s.kubeconfig(), s.bin())
}
