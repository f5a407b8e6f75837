//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// An API server alone: etcd, kube-apiserver and kube-controller-manager on the machine's
// loopback, and no node. Pods stay Pending. It needs no root.

// apiCommand is the hidden verb of the process that keeps the three running.
const apiCommand = "api-supervise"

// apiPlane takes four ports from the cluster's port on: API server, etcd's two, controller manager.
func apiPlane(s *settings) plane {
	return plane{address: "127.0.0.1", advertise: "127.0.0.1", port: s.Port, etcdPort: s.Port + 1, services: serviceCIDR, controller: s.Port + 3}
}

func (s *settings) apiProcess() (int, error) {
	return findProcess(apiCommand, s.state("settings.json"))
}

func apiUp(s *settings, p *progress) error {
	if err := buildAssets(s, p); err != nil {
		return err
	}
	if _, err := s.apiProcess(); err == nil {
		p.say("API server %s is up already at %s", s.Name, s.apiURL())
		return nil
	}
	if err := prepareState(s, s.apiURL); err != nil {
		return err
	}
	if err := os.MkdirAll(s.state("log"), 0o755); err != nil {
		return err
	}
	log, err := os.Create(s.state("log", "supervisor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", apiCommand, s.state("settings.json"))
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := s.waitForAPIServer(); err != nil {
		return errors.Join(err, fmt.Errorf("the logs are in %s", s.state("log")), apiDown(s, p))
	}
	p.say("API server %s is ready at %s", s.Name, s.apiURL())
	return nil
}

// superviseAPI runs until it is told to end, and then waits for its components.
func superviseAPI(s *settings) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	v := &supervisor{ctx: ctx, logs: s.state("log"), path: s.nodePath()}
	plane := apiPlane(s)
	v.keep("etcd", plane.etcd(s)...)
	v.keep("kube-apiserver", plane.apiServer(s)...)
	if err := waitForAPI(s.apiURL(), time.Minute); err == nil {
		v.keep("kube-controller-manager", plane.controllerManager(s)...)
	}
	v.running.Wait()
	return nil
}

func apiDown(s *settings, p *progress) error {
	pid, err := s.apiProcess()
	if err == nil {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		if err := retry(30*time.Second, func() error {
			if _, err := s.apiProcess(); err == nil {
				return fmt.Errorf("process %d does not end", pid)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	p.say("API server %s is gone", s.Name)
	return removeState(s)
}
