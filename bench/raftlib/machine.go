package main

import (
	"bufio"
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// computer is where and with what figures were taken.
type computer struct {
	CPU      string
	Cores    int
	Kernel   string
	Go       string
	Versions map[string]string // of the modules that were measured
	Date     string
	Load     string // how many processes wanted a core in the minute before, on average
}

var measuredModules = []string{
	"go.etcd.io/raft/v3", "go.etcd.io/etcd/server/v3", "github.com/hashicorp/raft", "github.com/hashicorp/raft-wal",
}

func thisMachine() computer {
	m := computer{
		CPU: cpuModel(), Cores: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version(),
		Versions: map[string]string{}, Date: time.Now().UTC().Format("2006-01-02 15:04 MST"),
		Load: loadBefore(),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, d := range info.Deps {
		for _, want := range measuredModules {
			if d.Path == want {
				m.Versions[want] = d.Version
			}
		}
	}
	return m
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}

func loadBefore() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	load, _, _ := strings.Cut(string(b), " ")
	return load
}

// kernel gives the first two numbers of the version: what follows is the builder's own.
func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	parts := strings.SplitN(strings.TrimSpace(string(b)), ".", 3)
	return "Linux " + strings.Join(parts[:min(2, len(parts))], ".")
}
