package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/vfs"
)

// maxDevNodes is how many members a cluster of the command dev may have.
const maxDevNodes = 9

// open locks the directory until lock is closed, and gives the identity of the cluster in it.
// Whatever does not fit is told before anything is made.
func (d *dev) open(ctx context.Context) (cluster string, lock io.Closer, err error) {
	if err := os.MkdirAll(d.dataDir, 0o755); err != nil {
		return "", nil, fmt.Errorf("--data-dir: %w", err)
	}
	lock, err = vfs.OS{}.Lock(filepath.Join(d.dataDir, "LOCK"))
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("the data directory %s is used by another process: stop that one, "+
			"or choose another --data-dir with another --base-port", d.dataDir)
	}
	if err != nil {
		return "", nil, err
	}
	if err = d.checkFounded(); err == nil {
		err = d.checkPorts(ctx)
	}
	if err == nil {
		cluster, err = d.clusterID()
	}
	if err != nil {
		lock.Close()
		return "", nil, err
	}
	return cluster, lock, nil
}

// checkFounded compares the flags with the cluster that the directory holds. Who its
// members are and where they reach each other stands in their logs: no flag changes it.
func (d *dev) checkFounded() error {
	for i := range maxDevNodes {
		id, err := filelog.ReadIdentity(vfs.OS{}, d.memberDir(i))
		if err != nil {
			continue // not made yet; or damaged, which the member itself will tell
		}
		made := dev{nodes: len(id.Membership.Members), basePort: basePortOf(id.Membership)}
		if made.flags() == d.flags() {
			return nil
		}
		return fmt.Errorf("the data directory %s holds a cluster that was made with %s, but %s is asked for, "+
			"and an existing cluster keeps both: give %[2]s, or choose another --data-dir for a new cluster",
			d.dataDir, made.flags(), d.flags())
	}
	return nil
}

// basePortOf gives the --base-port with which the members were made; 0: it is unknown.
func basePortOf(m protocol.Membership) int {
	if len(m.Members) == 0 {
		return 0
	}
	_, port, err := net.SplitHostPort(m.Members[0].Address)
	peer, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		return 0
	}
	return peer - 1
}

// checkPorts tells about a port that somebody else has before a new directory is bound to it.
func (d *dev) checkPorts(ctx context.Context) error {
	var lc net.ListenConfig
	for i := range d.nodes {
		for offset := range 3 {
			l, err := lc.Listen(ctx, "tcp", d.address(i, offset))
			if err != nil {
				return fmt.Errorf("%s: %w: stop the process that has the port, or choose another --base-port with another --data-dir", devName(i), err)
			}
			l.Close()
		}
	}
	return nil
}

// clusterID gives the identity in the directory, or draws it for a new one.
func (d *dev) clusterID() (string, error) {
	file := filepath.Join(d.dataDir, "cluster-id")
	b, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id := "dev-" + strings.ToLower(rand.Text()[:12])
	return id, os.WriteFile(file, []byte(id+"\n"), 0o644)
}

// flags gives those that a cluster keeps for good.
func (d *dev) flags() string { return fmt.Sprintf("--nodes %d --base-port %d", d.nodes, d.basePort) }

func devName(i int) string { return fmt.Sprintf("dev-%d", i+1) }

func (d *dev) memberDir(i int) string { return filepath.Join(d.dataDir, devName(i)) }
