package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// hashicorpGroup is three members of hashicorp/raft with raft-wal.
type hashicorpGroup struct {
	members []*raft.Raft
	logs    []*wal.WAL
	leader  *raft.Raft
}

func openHashicorp(dir string) (library, error) {
	g := &hashicorpGroup{}
	var servers []raft.Server
	for i := range 3 {
		cfg := raft.DefaultConfig()
		cfg.LocalID = raft.ServerID(fmt.Sprint(i + 1))
		cfg.Logger = hclog.NewNullLogger()
		cfg.MaxAppendEntries = 1024
		cfg.BatchApplyCh = true
		home := filepath.Join(dir, fmt.Sprint(i+1))
		if err := os.MkdirAll(home, 0o755); err != nil {
			return nil, err
		}
		log, err := wal.Open(home)
		if err != nil {
			return nil, err
		}
		trans, err := raft.NewTCPTransportWithConfig("127.0.0.1:0", nil, &raft.NetworkTransportConfig{MaxPool: 3, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger()})
		if err != nil {
			return nil, err
		}
		r, err := raft.NewRaft(cfg, discard{}, log, log, raft.NewDiscardSnapshotStore(), trans)
		if err != nil {
			return nil, err
		}
		g.members, g.logs = append(g.members, r), append(g.logs, log)
		servers = append(servers, raft.Server{ID: cfg.LocalID, Address: trans.LocalAddr()})
	}
	if err := g.members[0].BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		return nil, err
	}
	var err error
	g.leader, err = elected(g.members, func(m *raft.Raft) bool { return m.State() == raft.Leader })
	return g, err
}

func (g *hashicorpGroup) propose(payload []byte) error { return g.leader.Apply(payload, 0).Error() }

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
