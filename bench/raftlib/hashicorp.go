package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// hashicorpGroup is three members of hashicorp/raft with raft-wal.
type hashicorpGroup struct {
	members []*raft.Raft
	logs    []*countedWAL
	leader  *raft.Raft
}

// countedWAL counts the syncs: raft-wal makes one for each call that stores something.
type countedWAL struct {
	*wal.WAL
	syncs atomic.Uint64
}

func (w *countedWAL) StoreLogs(logs []*raft.Log) error {
	w.syncs.Add(1)
	return w.WAL.StoreLogs(logs)
}

func openHashicorp(dir string) (library, error) {
	g := &hashicorpGroup{}
	var servers []raft.Server
	for i := range 3 {
		server, err := g.open(filepath.Join(dir, fmt.Sprint(i+1)), raft.ServerID(fmt.Sprint(i+1)))
		if err != nil {
			return nil, err
		}
		servers = append(servers, server)
	}
	if err := g.members[0].BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		return nil, err
	}
	var err error
	g.leader, err = elected(g.members, func(m *raft.Raft) bool { return m.State() == raft.Leader })
	return g, err
}

func (g *hashicorpGroup) open(home string, id raft.ServerID) (raft.Server, error) {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return raft.Server{}, err
	}
	w, err := wal.Open(home)
	if err != nil {
		return raft.Server{}, err
	}
	log := &countedWAL{WAL: w}
	trans, err := raft.NewTCPTransportWithConfig("127.0.0.1:0", nil, &raft.NetworkTransportConfig{MaxPool: 3, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger()})
	if err != nil {
		return raft.Server{}, err
	}
	cfg := raft.DefaultConfig()
	cfg.LocalID = id
	cfg.Logger = hclog.NewNullLogger()
	cfg.MaxAppendEntries = 1024
	cfg.BatchApplyCh = true
	r, err := raft.NewRaft(cfg, discard{}, log, log, raft.NewDiscardSnapshotStore(), trans)
	if err != nil {
		return raft.Server{}, err
	}
	g.members, g.logs = append(g.members, r), append(g.logs, log)
	return raft.Server{ID: id, Address: trans.LocalAddr()}, nil
}

func (g *hashicorpGroup) propose(payload []byte) error { return g.leader.Apply(payload, 0).Error() }

// read confirms the leadership. It is as strong as a read index only because the state
// machine is idle here, so that nothing has to be waited for after it.
func (g *hashicorpGroup) read() error { return g.leader.VerifyLeader().Error() }

func (g *hashicorpGroup) flushes() (n uint64) {
	for _, l := range g.logs {
		n += l.syncs.Load()
	}
	return n
}

func (g *hashicorpGroup) close() {
	for i, m := range g.members {
		m.Shutdown().Error() //nolint:errcheck // the measurement is over
		g.logs[i].Close()    //nolint:errcheck // likewise
	}
}

// discard is a state machine that does nothing.
type discard struct{}

func (discard) Apply(*raft.Log) any                 { return nil }
func (discard) ApplyBatch(l []*raft.Log) []any      { return make([]any, len(l)) }
func (discard) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }
func (discard) Restore(io.ReadCloser) error         { return nil }
