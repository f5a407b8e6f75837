package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/storage/filelog"
	"github.com/quorate/quorate/raftcore/transport"
	"github.com/quorate/quorate/raftcore/transport/tcp"
	"github.com/quorate/quorate/raftcore/vfs"
)

// quorateGroup is three members of this project's core.
type quorateGroup struct {
	members []*host.Host
	stores  []*filelog.Store
	leader  *host.Host
}

func openQuorate(dir string) (library, error) {
	g := &quorateGroup{}
	ports, addresses, err := listen(3)
	if err != nil {
		return nil, err
	}
	var members protocol.Membership
	for i, a := range addresses {
		members.Members = append(members.Members, protocol.Member{ID: protocol.MemberID(i + 1), Address: a, Suffrage: protocol.Voter})
	}
	for i := range ports {
		if err := g.open(filepath.Join(dir, fmt.Sprint(i+1)), members, protocol.MemberID(i+1), ports[i]); err != nil {
			return nil, err
		}
	}
	g.leader, err = elected(g.members, func(m *host.Host) bool { return m.State().Role == replica.Leader })
	return g, err
}

func (g *quorateGroup) open(dir string, members protocol.Membership, id protocol.MemberID, l net.Listener) error {
	err := filelog.Format(vfs.OS{}, dir, filelog.Identity{ClusterID: "bench", Name: "bench", MemberID: id, Incarnation: protocol.Incarnation(id), Membership: members}, filelog.Options{})
	if err != nil {
		return err
	}
	// Between two snapshots of 100,000 entries lie 420 MB of proposals of 4 KiB: so many files
	// are taken again.
	s, err := filelog.Open(vfs.OS{}, dir, filelog.Options{SegmentSize: 64 << 20, KeepFree: 8})
	if err != nil {
		return err
	}
	h, err := host.Start(host.Options{
		ID: id, Incarnation: s.Identity.Incarnation, Membership: members,
		Log: s.Log, Votes: s.Votes, Snapshots: s.Snapshots, Machine: nothing{}, Serializer: codec.Msgpack{}, RecordIncarnations: true,
		Connect: func(h transport.Handler) (transport.Comms, error) {
			return tcp.New(tcp.Options{Self: id, ClusterID: "bench", Incarnation: s.Identity.Incarnation, Serializer: codec.Msgpack{}, Listener: l}, h)
		},
	})
	if err != nil {
		return err
	}
	g.members, g.stores = append(g.members, h), append(g.stores, s)
	return nil
}

func (g *quorateGroup) propose(payload []byte) error {
	r, err := g.leader.Propose(context.Background(), payload)
	return errors.Join(err, r.Err)
}

func (g *quorateGroup) read() error { return g.leader.ReadBarrier(context.Background()) }

func (g *quorateGroup) flushes() (n uint64) {
	for _, s := range g.stores {
		n += s.Log.Stats().Flushes
	}
	return n
}

func (g *quorateGroup) close() {
	for i, m := range g.members {
		m.Close()           //nolint:errcheck // the measurement is over
		g.stores[i].Close() //nolint:errcheck // likewise
	}
}

// nothing is a state machine that does nothing; its snapshots are empty.
type nothing struct{}

func (nothing) Apply([]machine.Command, []machine.Result) error { return nil }
func (nothing) Snapshot() (machine.Snapshot, error)             { return nothing{}, nil }
func (nothing) Restore(_ protocol.EntryID, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
func (nothing) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (nothing) Close() error                     { return nil }
