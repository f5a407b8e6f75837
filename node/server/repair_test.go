package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/vfs"
)

// groupConfigs gives the members of a group of three on loopback.
func groupConfigs(t *testing.T) []Config {
	t.Helper()
	p := freePorts(t, 9)
	initial := fmt.Sprintf("1=%s,2=%s,3=%s", p[0], p[1], p[2])
	var cs []Config
	for i := range 3 {
		c := testConfig(t, 1, 3)
		c.MemberID = uint64(i + 1)
		c.Name = fmt.Sprintf("m-%d", i+1)
		c.InitialMembers, c.ListenPeer, c.ListenClient, c.ListenAdmin = initial, p[i], p[3+i], p[6+i]
		c.AdvertisePeer = p[i]
		if err := c.validate(); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}

// A record of a follower's log rots while it is down. It starts, tells what it suffers from,
// gets the record from the others and is well, without anybody's help; what is on the disk
// afterwards is whole.
func TestDamagedLogOfAGroupIsRepaired(t *testing.T) {
	cs := groupConfigs(t)
	members, stops := make([]*Member, 3), make([]func() error, 3)
	for i, c := range cs {
		members[i], stops[i] = startMember(t, app, c)
	}
	for _, m := range members {
		awaitReady(t, m)
	}
	for range 10 {
		propose(t, members[0])
	}
	victim := 0
	for i, m := range members {
		if m.Status().Role != nodeapi.RoleLeader {
			victim = i
		}
	}
	stops[victim]() //nolint:errcheck // it ends in order
	spoilLog(t, cs[victim].DataDir)
	var out bytes.Buffer
	if err := logVerify(&out, cs[victim].DataDir); err == nil || !strings.Contains(out.String(), "damage") {
		t.Fatalf("log verify finds nothing: %v, %s", err, out.String())
	}
	members[victim], stops[victim] = startMember(t, app, cs[victim])
	awaitReady(t, members[victim])
	await(t, "it is well", func() bool { return members[victim].Status().Health == nil })
	if got := propose(t, members[victim]); got != uint64(11) {
		t.Errorf("the eleventh command counts as %v", got)
	}
	// Health forgets a fault first, and then the list has it resolved.
	await(t, "the fault is over on the list", func() bool {
		fs := members[victim].Faults()
		return len(fs) > 0 && fs[0].Resolved
	})
	fs := members[victim].Faults()
	if len(fs) != 1 || fs[0].Fault != string(fault.LogCorrupt) || !fs[0].Resolved || fs[0].Remedy != string(fault.RepairFromPeers) {
		t.Errorf("faults are %+v", fs)
	}
	stops[victim]() //nolint:errcheck // it ends in order
	out.Reset()
	if err := logVerify(&out, cs[victim].DataDir); err != nil {
		t.Errorf("after the repair log verify gives %v: %s", err, out.String())
	}
}

// tightFS is the system's files on a disk whose free space a test sets.
type tightFS struct {
	vfs.OS
	free *atomic.Uint64
}

// Usage implements vfs.FS.
func (f tightFS) Usage(string) (vfs.Usage, error) {
	return vfs.Usage{Total: 10 << 30, Free: f.free.Load()}, nil
}

// A full disk is told as health, refuses commands, leaves the member ready for reads, and
// ends by itself.
func TestFullDisk(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	var free atomic.Uint64
	free.Store(1 << 30)
	cfg.fs, cfg.DiskReserve, cfg.DiskLowWater, cfg.DiskHighWater = tightFS{free: &free}, 1<<20, 10<<20, 20<<20
	m, _ := startMember(t, app, cfg)
	awaitReady(t, m)
	propose(t, m)
	await(t, "the reserve is there", func() bool { return m.Status().Disk.Reserved == 1<<20 })
	free.Store(5 << 20)
	s := awaitFault(t, m, fault.DiskFull)
	if s.Role != nodeapi.RoleLeader || s.Health.Remedy != string(fault.FreeSpace) {
		t.Errorf("status is %+v, health %+v", s, s.Health)
	}
	_, serving, _ := m.parts()
	if _, err := serving.node.Propose(t.Context(), []byte("x")); !errors.Is(err, host.ErrDiskFull) || !strings.Contains(err.Error(), "5242880 bytes are free") {
		t.Errorf("a command gives %v", err)
	}
	awaitReady(t, m)
	free.Store(1 << 30)
	began := time.Now()
	await(t, "it is well", func() bool { return m.Status().Health == nil })
	t.Logf("well again after %v", time.Since(began))
	if got := propose(t, m); got != uint64(2) {
		t.Errorf("the second command counts as %v", got)
	}
	await(t, "the fault is over on the list", func() bool {
		fs := m.Faults()
		return len(fs) > 0 && fs[0].Resolved
	})
	if fs := m.Faults(); len(fs) != 1 {
		t.Errorf("faults are %+v", fs)
	}
}

// Both slots of term and vote are bad: the member must not vote, since it may vote twice in a
// term. It is fenced, after each restart again, and tells why.
func TestNoVoteWithoutAVoteSlot(t *testing.T) {
	cfg := testConfig(t, 1, 1)
	m, stop := startMember(t, app, cfg)
	awaitReady(t, m)
	stop() //nolint:errcheck // it ends in order
	name := filepath.Join(cfg.DataDir, "meta")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range []int{32 << 10, 36 << 10} { // see package filelog
		b[slot+20] ^= 1
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, stop = startMember(t, app, cfg)
		s := awaitFault(t, m, fault.MetaCorrupt)
		if s.Role != nodeapi.RoleFenced || s.Term != 0 || s.Health.Remedy != string(fault.ReplaceMember) {
			t.Errorf("status is %+v, health %+v", s, s.Health)
		}
		if err := m.Ready(t.Context()); err == nil {
			t.Error("a member without a vote is ready")
		}
		stop() //nolint:errcheck // it holds until it is stopped
	}
}
