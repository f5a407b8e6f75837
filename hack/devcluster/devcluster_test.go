//go:build linux

package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func testSettings(t *testing.T) *settings {
	t.Helper()
	t.Setenv("QUORATE_CACHE", t.TempDir())
	s, err := newSettings("test")
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

func TestSettingsAreKept(t *testing.T) {
	s := testSettings(t)
	s.Port = 12345
	if err := s.remember(); err != nil {
		t.Fatal(err)
	}
	again, err := newSettings("test")
	if err != nil || again.Port != 12345 {
		t.Errorf("port is %d, error %v; want 12345", again.Port, err)
	}
	if err := os.WriteFile(s.state("settings.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newSettings("test"); err == nil || !strings.Contains(err.Error(), "devcluster down") {
		t.Errorf("damaged settings: error %v does not tell what to do", err)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	t.Setenv("QUORATE_CACHE", t.TempDir())
	for _, c := range []struct{ name, args, want string }{
		{"default", "", "which command"},
		{"default", "fly", `"fly"`},
		{"default", "node down", "node down I"},
		{"default", "node down 9", `"9" is no node`},
		{"default", "node down two", `"two" is no node`},
		{"default", "node fly 1", "want down or up"},
		{"default", "isolate 0", "node-0 holds"},
		{"default", "isolate 1", "node-1: it does not run"},
		{"default", "load", "at least one"},
		{"default", "load gone.tar", "no running node"},
		{"default", "cut a", "two pods"},
		{"default", "exec 1", "a node and a command"},
		{"default", "up --nodes 0", "from 1 to 9"},
		{"default", "up 3", "unexpected"},
		{"default", "api fly", "api up"},
		{"../x", "status", "cluster name"},
		{"Upper", "status", "cluster name"},
	} {
		t.Setenv("DEVCLUSTER_NAME", c.name)
		err := run(strings.Fields(c.args))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("devcluster %s (cluster %s): got error %v, want one that says %q", c.args, c.name, err, c.want)
		}
	}
}

func TestKeyFollowsTheSources(t *testing.T) {
	s := testSettings(t)
	s.Source = t.TempDir()
	file := filepath.Join(s.Source, "part", "main.go")
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func(c component) string {
		t.Helper()
		k, err := c.key(s)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	c := plain("part", "a part", "part", "bin/part")
	write(file, "package main")
	first := key(c)
	write(filepath.Join(s.Source, "part", "main_test.go"), "package main")
	if key(c) != first {
		t.Error("a test file changes the key")
	}
	write(file, "package main\n")
	if key(c) == first {
		t.Error("a change of a source does not change the key")
	}
	write(file, "package main")
	if key(c) != first {
		t.Error("the same sources give another key")
	}
	c.flags = append(c.flags, "-race")
	if key(c) == first {
		t.Error("a change of a flag does not change the key")
	}
}

func TestKubernetesVersionIsThePinnedOne(t *testing.T) {
	b, err := os.ReadFile("components/kube/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes v(\S+)`).FindSubmatch(b)
	if pinned == nil || string(pinned[1]) != kubernetesVersion {
		t.Errorf("components/kube/go.mod pins %q, build.go says %s", pinned, kubernetesVersion)
	}
}

func TestCertificatesFitTheirUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	if err := makePKI(dir, "https://server:1"); err != nil {
		t.Fatal(err)
	}
	read := func(file string) *x509.Certificate {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	roots := x509.NewCertPool()
	roots.AddCert(read("ca.crt"))
	for _, c := range []struct {
		file, host string
		use        x509.ExtKeyUsage
	}{
		{"apiserver.crt", "127.0.0.1", x509.ExtKeyUsageServerAuth},
		{"apiserver.crt", apiServiceIP, x509.ExtKeyUsageServerAuth},
		{"apiserver.crt", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth},
		{"serving-node-8.crt", nodeIP(8), x509.ExtKeyUsageServerAuth},
		{"apiserver-kubelet-client.crt", "", x509.ExtKeyUsageClientAuth},
	} {
		_, err := read(c.file).Verify(x509.VerifyOptions{DNSName: c.host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{c.use}})
		if err != nil {
			t.Errorf("%s for %q: %v", c.file, c.host, err)
		}
	}
	if got := read("kubelet-node-2.crt").Subject; got.CommonName != "system:node:node-2" || got.Organization[0] != "system:nodes" {
		t.Errorf("the kubelet of node 2 is %v", got)
	}
	before := read("ca.crt").SerialNumber
	if err := makePKI(dir, "https://server:1"); err != nil || read("ca.crt").SerialNumber.Cmp(before) != 0 {
		t.Errorf("a second call makes new certificates (error %v)", err)
	}
}

func TestTemplatesRender(t *testing.T) {
	s := testSettings(t)
	if err := os.MkdirAll(s.node(2, "cni"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeConfig(s, 2); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"kubelet.yaml":               "cgroupRoot: /quorate-devcluster/test/n2",
		"cni/10-devcluster.conflist": `"subnet": "10.244.2.0/24"`,
		"containerd.toml":            s.node(2, "containerd"),
		"kube-proxy.yaml":            "hostnameOverride: node-2",
	} {
		b, err := os.ReadFile(s.node(2, file))
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %q (error %v)", file, want, err)
		}
		if bytes.Contains(b, []byte("{{")) {
			t.Errorf("%s holds an unfilled place", file)
		}
	}
}

func TestProcessIsFoundByItsArguments(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	cmd := exec.Command("tail", "-f", "/dev/null", "--", marker)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(marker, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if pid, err := findProcess("-f", "/dev/null", "--", marker); err != nil || pid != cmd.Process.Pid {
		t.Errorf("found process %d, error %v; want %d", pid, err, cmd.Process.Pid)
	}
	if _, err := findProcess("-f", "/dev/null", "--"); !errors.Is(err, errNotRunning) {
		t.Errorf("a part of the arguments is enough: error %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, stdout)
	_ = cmd.Wait() // it was killed, which is its error
	if _, err := findProcess("-f", "/dev/null", "--", marker); !errors.Is(err, errNotRunning) {
		t.Errorf("a dead process is found: error %v", err)
	}
}

func TestTakenPortIsPassedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	if next, err := freePort(taken); err != nil || next <= taken {
		t.Errorf("after the taken port %d comes %d (error %v)", taken, next, err)
	}
	if _, err := listen(&settings{Port: taken}); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("a taken port: error %v", err)
	}
}

func TestProgressTellsOfTheWholeStep(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out)
	end := p.long("building", func() string { return "" })
	end()
	if got := out.String(); !regexp.MustCompile(`^\[  0s\] building\n\[  0s\]   done in 0\.\ds\n$`).MatchString(got) {
		t.Errorf("printed %q", got)
	}
}
