package server

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/raftcore/vfs"
)

// openDev opens the directory, which must go well, and closes it.
func openDev(t *testing.T, d dev) (cluster string) {
	t.Helper()
	cluster, lock, err := d.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	return cluster
}

// A directory gives one cluster for good, and only with the flags that it was made with.
func TestDevDirectory(t *testing.T) {
	d := dev{nodes: 2, basePort: freeDevPorts(t), dataDir: t.TempDir()}
	cluster := openDev(t, d)
	other := d
	other.nodes = 1
	if got := openDev(t, other); got != cluster {
		t.Errorf("the cluster is %q, it was %q", got, cluster)
	}
	cfg := d.config(1, cluster) // the first member may have got no further
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	m, stop := startMember(t, app, cfg)
	await(t, "the member takes part", func() bool { _, s, _ := m.parts(); return s != nil })
	stop() //nolint:errcheck // it ends in order
	if got := openDev(t, d); got != cluster {
		t.Errorf("the cluster is %q, it was %q", got, cluster)
	}
	for _, change := range []func(*dev){
		func(d *dev) { d.nodes = 3 },
		func(d *dev) { d.nodes = 1 },
		func(d *dev) { d.basePort -= 100 },
	} {
		other := d
		change(&other)
		_, _, err := other.open(t.Context())
		if err == nil {
			t.Errorf("%d nodes from port %d on are taken", other.nodes, other.basePort)
			continue
		}
		for _, want := range []string{d.dataDir, "holds a cluster", d.flags(), "but " + other.flags(), "give " + d.flags(), "another --data-dir"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	if got := openDev(t, d); got != cluster { // and no refusal has kept the lock
		t.Errorf("the cluster is %q, it was %q", got, cluster)
	}
}

// A directory in use, and a port that is taken, are told before anything is made.
func TestDevTaken(t *testing.T) {
	d := dev{nodes: 1, basePort: freeDevPorts(t), dataDir: t.TempDir()}
	lock, err := vfs.OS{}.Lock(d.dataDir + "/LOCK")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.open(t.Context()); err == nil || !strings.Contains(err.Error(), "the data directory "+d.dataDir+" is used by another process") {
		t.Errorf("a locked directory gives %v", err)
	}
	lock.Close()
	l, err := net.Listen("tcp", d.address(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := d.open(t.Context()); err == nil || !strings.Contains(err.Error(), d.address(0, 1)+": bind: address already in use: stop the process") {
		t.Errorf("a port that is taken gives %v", err)
	}
	if _, err := os.Stat(d.dataDir + "/cluster-id"); !os.IsNotExist(err) {
		t.Errorf("a refusal has made a cluster: %v", err)
	}
}

// freeDevPorts gives a base port from which on the ports of two members are free.
func freeDevPorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := dev{nodes: 2, basePort: l.Addr().(*net.TCPAddr).Port}
		l.Close()
		if d.basePort < 65000 && d.checkPorts(t.Context()) == nil {
			return d.basePort
		}
	}
	t.Fatal("no free ports")
	return 0
}
