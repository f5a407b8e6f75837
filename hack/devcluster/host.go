//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
)

// needs lists what a node uses of the machine, and the Debian package that has it.
var needs = []struct {
	pkg   string
	found func() bool
}{
	{"conntrack", command("conntrack")},
	{"containernetworking-plugins", func() bool { return cniDir() != "" }},
	{"iproute2", command("ip")},
	{"iptables", command("iptables")},
	{"mount", command("mount")},
	{"nftables", command("nft")},
	{"runc", command("runc")},
	{"util-linux", command("nsenter")},
}

// cniDirs are where Debian and where everybody else puts the CNI plugins.
var cniDirs = []string{"/usr/lib/cni", "/opt/cni/bin"}

func cniDir() string {
	for _, d := range cniDirs {
		if _, err := os.Stat(d + "/bridge"); err == nil {
			return d
		}
	}
	return ""
}

func command(name string) func() bool {
	return func() bool {
		_, err := exec.LookPath(name)
		return err == nil
	}
}

// prepareHost installs what is missing, where apt-get can, and says what to do where it cannot.
func prepareHost(p *progress) error {
	if os.Geteuid() != 0 {
		return errors.New("nodes need namespaces, cgroups and mounts, so devcluster runs as root: " +
			"use sudo, or kind, or set KUBECONFIG to a cluster that you have")
	}
	missing := missingPackages()
	if len(missing) == 0 {
		return loadModules()
	}
	if !command("apt-get")() {
		return fmt.Errorf("this machine lacks what Debian has in the packages %s: install them", strings.Join(missing, ", "))
	}
	end := p.long("installing "+strings.Join(missing, ", ")+" (apt-get, about 10 s)", func() string { return "" })
	defer end()
	if out, err := exec.Command("apt-get", "update").CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, out)
	}
	install := exec.Command("apt-get", append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
	install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get install %s: %w\n%s", strings.Join(missing, " "), err, out)
	}
	if still := missingPackages(); len(still) > 0 {
		return fmt.Errorf("still missing after apt-get install: %s", strings.Join(still, ", "))
	}
	return loadModules()
}

func missingPackages() []string {
	// A login shell of a user, and sudo, may leave out the directories of system programs.
	_ = os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	var missing []string
	for _, n := range needs {
		if !n.found() {
			missing = append(missing, n.pkg)
		}
	}
	sort.Strings(missing)
	return missing
}

// loadModules loads the two kernel modules that a fresh Debian has not loaded yet. Kernels that have them built in need nothing.
func loadModules() error {
	for module, sign := range map[string]string{
		"br_netfilter": "/proc/sys/net/bridge",
		"overlay":      "/sys/module/overlay",
	} {
		if _, err := os.Stat(sign); err == nil || builtIn(module) {
			continue
		}
		if out, err := exec.Command("modprobe", module).CombinedOutput(); err != nil {
			return fmt.Errorf("kernel module %s is needed: modprobe: %w\n%s", module, err, out)
		}
	}
	return nil
}

func builtIn(module string) bool {
	b, err := os.ReadFile("/proc/filesystems")
	return err == nil && strings.Contains(string(b), "\t"+module+"\n")
}
