package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// etcdGroup is three members of go.etcd.io/raft, each with etcd's own write-ahead log and
// a connection to each other member. The loops are those of the library's documentation
// and of etcd's server.
type etcdGroup struct {
	members []*etcdMember
	leader  *etcdMember
}

func openEtcd(dir string) (library, error)      { return openEtcdGroup(dir, false) }
func openEtcdAsync(dir string) (library, error) { return openEtcdGroup(dir, true) }

func openEtcdGroup(dir string, async bool) (library, error) {
	listeners, addresses, err := listen(3)
	if err != nil {
		return nil, err
	}
	g := &etcdGroup{}
	for i := range listeners {
		m, err := newEtcdMember(filepath.Join(dir, fmt.Sprint(i+1)), uint64(i+1), async, listeners[i], addresses)
		if err != nil {
			return nil, err
		}
		g.members = append(g.members, m)
	}
	g.leader, err = elected(g.members, func(m *etcdMember) bool {
		s := m.node.Status()
		return s.RaftState == raft.StateLeader && s.Applied >= s.GetCommit() && s.GetCommit() > 3
	})
	return g, err
}

func (g *etcdGroup) propose(payload []byte) error { return g.leader.propose(payload) }
func (g *etcdGroup) read() error                  { return g.leader.reads.wait() }

func (g *etcdGroup) flushes() (n uint64) {
	for _, m := range g.members {
		n += m.syncs.Load()
	}
	return n
}

func (g *etcdGroup) close() {
	for _, m := range g.members {
		m.close()
	}
}

// etcdMember is one member: the node, its log and its connections.
type etcdMember struct {
	id      uint64
	async   bool
	node    raft.Node
	storage *raft.MemoryStorage
	wal     *wal.WAL
	hard    *raftpb.HardState // as saved last, to know what is synced
	syncs   atomic.Uint64
	net     *etcdNet
	reads   *etcdReads

	proposals etcdProposals

	waiters  [64]etcdWaiters
	requests atomic.Uint64
	applied  atomic.Uint64
	apply    chan []*raftpb.Entry // the synchronous loop's way to the state machine
	appendc  chan *raftpb.Message // of an asynchronous member
	applyc   chan *raftpb.Message

	stop    chan struct{}
	running sync.WaitGroup
}

// etcdProposals collects what is proposed while the node takes what came before.
type etcdProposals struct {
	wake chan struct{}

	mu      sync.Mutex
	entries []*raftpb.Entry
}

type etcdWaiters struct {
	sync.Mutex
	byID map[uint64]chan struct{}
}

func newEtcdMember(dir string, id uint64, async bool, l listener, addresses []string) (*etcdMember, error) {
	w, err := wal.Create(nil, dir, nil)
	if err != nil {
		return nil, err
	}
	m := &etcdMember{
		id: id, async: async, wal: w, storage: raft.NewMemoryStorage(), hard: &raftpb.HardState{},
		apply: make(chan []*raftpb.Entry, 64), appendc: make(chan *raftpb.Message, 256), applyc: make(chan *raftpb.Message, 256),
		stop: make(chan struct{}),
	}
	for i := range m.waiters {
		m.waiters[i].byID = make(map[uint64]chan struct{})
	}
	var peers []raft.Peer
	for i := range addresses {
		peers = append(peers, raft.Peer{ID: uint64(i + 1)})
	}
	// Two messages in flight, as for our own core, is the best for it of 2, 8 and 256: what
	// waits meanwhile goes in one message.
	m.node = raft.StartNode(&raft.Config{
		ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: m.storage, AsyncStorageWrites: async,
		MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 2, CheckQuorum: true, PreVote: true,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	}, peers)
	m.net = newEtcdNet(id, l, addresses, func(msg *raftpb.Message) { m.node.Step(context.Background(), msg) }) //nolint:errcheck // it fails when the node has stopped
	m.reads = newEtcdReads(m)
	m.running.Go(m.reads.run)
	m.proposals.wake = make(chan struct{}, 1)
	m.running.Go(m.runProposals)
	if async {
		m.running.Go(m.runAsync)
		m.running.Go(m.runAppend)
		m.running.Go(m.runApplyAsync)
	} else {
		m.running.Go(m.run)
		m.running.Go(m.runApply)
	}
	return m, nil
}

func (m *etcdMember) close() {
	close(m.stop)
	m.node.Stop()
	m.net.close()
	m.running.Wait()
	m.wal.Close() //nolint:errcheck // the measurement is over
}

// propose puts an ID before the payload and waits on a channel, as etcd's server does.
func (m *etcdMember) propose(payload []byte) error {
	id := m.requests.Add(1)
	data := append(binary.LittleEndian.AppendUint64(make([]byte, 0, 16+len(payload)), m.id), make([]byte, 8)...)
	binary.LittleEndian.PutUint64(data[8:], id)
	data = append(data, payload...)
	done := make(chan struct{}, 1)
	s := &m.waiters[id%uint64(len(m.waiters))]
	s.Lock()
	s.byID[id] = done
	s.Unlock()
	p := &m.proposals
	p.mu.Lock()
	p.entries = append(p.entries, &raftpb.Entry{Data: data})
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	select {
	case <-done:
		return nil
	case <-m.stop:
		return errors.New("closed")
	}
}

// runProposals hands all proposals that wait to the library as one message: it sends
// its followers a message for each that it is given, so this is much better for it than
// Node.Propose for each.
func (m *etcdMember) runProposals() {
	for {
		select {
		case <-m.proposals.wake:
		case <-m.stop:
			return
		}
		m.proposals.mu.Lock()
		entries := m.proposals.entries
		m.proposals.entries = nil
		m.proposals.mu.Unlock()
		if len(entries) == 0 {
			continue
		}
		if err := m.node.Step(context.Background(), &raftpb.Message{Type: raftpb.MsgProp.Enum(), Entries: entries}); err != nil {
			return // it has stopped
		}
	}
}

// run is the loop of the library's documentation. A leader sends before its own disk is
// asked, as etcd's server does (thesis section 10.2.1).
func (m *etcdMember) run() {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	defer close(m.apply)
	leads := false
	for {
		select {
		case <-ticker.C:
			m.node.Tick()
		case rd := <-m.node.Ready():
			if rd.SoftState != nil {
				leads = rd.RaftState == raft.StateLeader
			}
			m.reads.confirm(rd.ReadStates)
			if len(rd.CommittedEntries) > 0 {
				m.apply <- rd.CommittedEntries
			}
			if leads {
				m.net.send(rd.Messages)
			}
			m.save(rd.HardState, rd.Entries)
			if !leads {
				m.net.send(rd.Messages)
			}
			m.configure(rd.CommittedEntries)
			m.node.Advance()
		case <-m.stop:
			return
		}
	}
}

// save makes state and entries durable; the library decides what needs a sync.
func (m *etcdMember) save(hard *raftpb.HardState, entries []*raftpb.Entry) {
	if raft.IsEmptyHardState(hard) && len(entries) == 0 {
		return
	}
	now := m.hard
	if !raft.IsEmptyHardState(hard) {
		now = hard
	}
	if raft.MustSync(now, m.hard, len(entries)) {
		m.syncs.Add(1)
	}
	m.hard = now
	if err := m.wal.Save(hard, entries); err != nil {
		panic(err) // the measurement is void
	}
	if err := m.storage.Append(entries); err != nil {
		panic(err)
	}
}

// configure applies the changes of the membership with which a group begins.
func (m *etcdMember) configure(entries []*raftpb.Entry) {
	for _, e := range entries {
		if e.GetType() != raftpb.EntryConfChange {
			continue
		}
		var change raftpb.ConfChange
		if err := proto.Unmarshal(e.GetData(), &change); err != nil {
			panic(err)
		}
		m.node.ApplyConfChange(&change)
	}
}

func (m *etcdMember) runApply() {
	for entries := range m.apply {
		m.answer(entries)
	}
}

// answer is the state machine, which does nothing, and the wake-up of who waits here.
func (m *etcdMember) answer(entries []*raftpb.Entry) {
	for _, e := range entries {
		data := e.GetData()
		if e.GetType() != raftpb.EntryNormal || len(data) < 16 || binary.LittleEndian.Uint64(data) != m.id {
			continue
		}
		id := binary.LittleEndian.Uint64(data[8:])
		s := &m.waiters[id%uint64(len(m.waiters))]
		s.Lock()
		done := s.byID[id]
		delete(s.byID, id)
		s.Unlock()
		if done != nil {
			done <- struct{}{}
		}
	}
	last := entries[len(entries)-1].GetIndex()
	before := m.applied.Swap(last)
	m.reads.release(last)
	const every, keep = 10_000, 5_000 // as etcd's server, but for the snapshot on disk
	if last/every > before/every && last > keep {
		stored, _ := m.storage.LastIndex() //nolint:errcheck // it gives none
		upTo := min(last-keep, stored)     // what is committed may be applied before it is stored here
		m.storage.Compact(upTo)            //nolint:errcheck // it fails when it was done before
		m.wal.ReleaseLockTo(upTo)          //nolint:errcheck // likewise
	}
}
