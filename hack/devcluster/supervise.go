//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// restartPause keeps a component that fails at once from filling the log.
const restartPause = time.Second

// supervisor starts components and starts again what ends.
type supervisor struct {
	ctx     context.Context // components end with it
	logs    string          // directory
	path    string          // PATH of the components
	running sync.WaitGroup
}

// keep runs a component until the supervisor ends.
func (v *supervisor) keep(name string, args ...string) {
	v.running.Go(func() {
		for v.ctx.Err() == nil {
			log.Printf("%s ended: %v", name, v.once(name, args...))
			select {
			case <-time.After(restartPause):
			case <-v.ctx.Done():
			}
		}
	})
}

// once runs a command with its output in the log of that name.
func (v *supervisor) once(name string, args ...string) error {
	out, err := os.OpenFile(filepath.Join(v.logs, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(v.ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, "/"
	cmd.Env = append(os.Environ(), "PATH="+v.path)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second // nothing here is worth a longer wait
	return cmd.Run()
}

// superviseNode starts the components of node i in the order in which they need each other.
func superviseNode(s *settings, i int) error {
	v := &supervisor{ctx: context.Background(), logs: s.node(i, "log"), path: s.nodePath()}
	if err := os.Setenv("PATH", v.path); err != nil {
		return err
	}
	v.keep("containerd", s.bin("containerd", "containerd"), "--config", s.node(i, "containerd.toml"))
	var plane error
	var planeUp sync.WaitGroup
	if i == 0 {
		planeUp.Go(func() { plane = startControlPlane(v, s) })
	}
	if err := loadOwnImages(v, s); err != nil {
		return err
	}
	if planeUp.Wait(); plane != nil {
		return plane
	}
	v.keep("kubelet", kubeletCommand(s, i)...)
	v.keep("kube-proxy", s.bin("kube-proxy"), "--config", s.node(i, "kube-proxy.yaml"))
	log.Printf("%s started", nodeName(i))
	v.running.Wait()
	return nil
}

func startControlPlane(v *supervisor, s *settings) error {
	listener, err := net.FileListener(os.NewFile(doorFD, "door"))
	if err != nil {
		return fmt.Errorf("the API server's door: %w", err)
	}
	go serveDoor(listener)
	plane := nodePlane(s)
	v.keep("etcd", plane.etcd(s)...)
	v.keep("kube-apiserver", plane.apiServer(s)...)
	if err := waitForAPI(fmt.Sprintf("https://127.0.0.1:%d", apiPort), time.Minute); err != nil {
		return err
	}
	v.keep("kube-controller-manager", plane.controllerManager(s)...)
	v.keep("kube-scheduler", s.bin("kube-scheduler"), "--kubeconfig", s.pki("kube-scheduler.kubeconfig"),
		"--leader-elect=false", "--bind-address", "127.0.0.1")
	v.keep("volume-provisioner", s.bin("volume-provisioner"), "--kubeconfig", s.pki("admin.kubeconfig"), "--root", s.state("volumes"))
	return nil
}

// loadOwnImages waits for containerd and gives it the images that the node itself needs: there is no registry.
func loadOwnImages(v *supervisor, s *settings) error {
	ctr := []string{s.bin("containerd", "ctr"), "-a", containerdSocket, "-n", "k8s.io"}
	if err := retry(30*time.Second, func() error { return v.once("ctr", append(ctr, "version")...) }); err != nil {
		return fmt.Errorf("containerd does not answer: %w", err)
	}
	for _, c := range inPods {
		if err := v.once("ctr", append(ctr, "images", "import", s.images(c.name+".tar"))...); err != nil {
			return fmt.Errorf("loading %s.tar: %w", c.name, err)
		}
	}
	return nil
}

// waitForAPI waits until the API server answers. Whether it is ready is asked later, with credentials.
func waitForAPI(url string, limit time.Duration) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // only whether it lives is asked, on loopback
	}}
	err := retry(limit, func() error {
		res, err := client.Get(url + "/livez")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("it answers %s", res.Status)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the API server at %s does not answer within %v: %w", url, limit, err)
	}
	return nil
}
