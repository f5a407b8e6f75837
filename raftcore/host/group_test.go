package host_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport"
)

// ledger is a state machine in memory: the list of payloads. A result is the length.
type ledger struct {
	mu      sync.Mutex
	entries []string
	fail    error // what Apply gives
	held    chan struct{}
}

func (l *ledger) Apply(cs []machine.Command, rs []machine.Result) error {
	if l.held != nil {
		<-l.held
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for i, c := range cs {
		l.entries = append(l.entries, string(c.Payload))
		rs[i].Value = len(l.entries)
	}
	return nil
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

func (l *ledger) Snapshot() (machine.Snapshot, error) { return frozen(l.all()), nil }

func (l *ledger) Restore(_ protocol.EntryID, r io.Reader) error {
	var entries []string
	var n [4]byte
	for {
		if _, err := io.ReadFull(r, n[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		entries = append(entries, string(b))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = entries
	return nil
}

func (l *ledger) Close() error { return nil }

// EncodeResult makes the ledger a machine.ResultCodec.
func (l *ledger) EncodeResult(r machine.Result) ([]byte, error) {
	return strconv.AppendInt(nil, int64(r.Value.(int)), 10), nil
}

func (l *ledger) DecodeResult(b []byte) (machine.Result, error) {
	n, err := strconv.Atoi(string(b))
	return machine.Result{Value: n}, err
}

type frozen []string

func (f frozen) WriteTo(w io.Writer) (n int64, err error) {
	for _, e := range f {
		b := append(binary.BigEndian.AppendUint32(nil, uint32(len(e))), e...)
		m, err := w.Write(b)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (frozen) Close() error { return nil }

// member is a host with what survives it.
type member struct {
	*host.Host
	id        protocol.MemberID
	log       *memlog.Log
	votes     *memlog.Votes
	snapshots *memlog.Snapshots
	ledger    *ledger
	reported  *reports
	comms     transport.Comms
	stranger  bool // it was not there when the group was founded: it knows nobody
}

// running reports whether the process goes on, without a fault.
func (m *member) running() bool {
	select {
	case <-m.Done():
		return false
	default:
		return m.Fault() == nil
	}
}

// reports collects faults.
type reports struct {
	mu          sync.Mutex
	faults      []*fault.Fault
	noted, over []fault.Kind
}

func (r *reports) Report(f *fault.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, f)
}

func (r *reports) Note(f *fault.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted = append(r.noted, f.Kind)
}

func (r *reports) Recovered(k fault.Kind, _ time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = append(r.over, k)
}

// ailments gives the kinds of faults that were noted, and those that were told to be over.
func (r *reports) ailments() (noted, over []fault.Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.noted), slices.Clone(r.over)
}

func (r *reports) kinds() (ks []fault.Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		ks = append(ks, f.Kind)
	}
	return ks
}

// group is members that talk through a switchboard, in a synctest bubble.
type group struct {
	t       *testing.T
	board   *memcomms.Switchboard
	members []*member
	change  func(*host.Options) // of each member, before it starts
}

// bubble runs f with a started group of n, on a simulated clock.
func bubble(t *testing.T, n int, change func(*host.Options), f func(*group)) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{t: t, board: memcomms.New(codec.Msgpack{}), change: change}
		for i := range n {
			m := &member{id: protocol.MemberID(i + 1), log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}, reported: &reports{}}
			g.members = append(g.members, m)
		}
		defer g.close() // also when f ends the test: what stays in the bubble is a panic, which hides the reason
		for _, m := range g.members {
			g.start(m)
		}
		f(g)
	})
}

// close ends every process, and lets go of the logs that wait for the next one.
func (g *group) close() {
	for _, m := range g.members {
		if m.Host != nil {
			m.Close() //nolint:errcheck // some have failed on purpose
		}
		m.log.Close() //nolint:errcheck // as often as not it is closed
	}
}

func (g *group) options(m *member) host.Options {
	var membership protocol.Membership
	for _, x := range g.members {
		if x.stranger || m.stranger {
			continue
		}
		membership.Members = append(membership.Members, protocol.Member{ID: x.id, Address: fmt.Sprint(x.id), Suffrage: protocol.Voter})
	}
	m.ledger = &ledger{}
	o := host.Options{
		ID: m.id, Incarnation: protocol.Incarnation(m.id), Membership: membership, Seed: uint64(m.id),
		Log: m.log, Votes: m.votes, Snapshots: m.snapshots, Machine: m.ledger, Serializer: codec.Msgpack{},
		Connect: func(h transport.Handler) (transport.Comms, error) {
			m.comms = g.board.Connect(m.id, h)
			return m.comms, nil
		},
		MaxRetainedEntries: 1, // no time passes between a fault and a compaction
		Faults:             m.reported, Logger: logr.Discard(),
	}
	if g.change != nil {
		g.change(&o)
	}
	if o.OnStateChange == nil && o.Mutation == 0 {
		o.OnStateChange = neverLeads(g.t, m)
	}
	return o
}

func (g *group) start(m *member) {
	g.t.Helper()
	h, err := host.Start(g.options(m))
	if err != nil {
		g.t.Fatal(err)
	}
	m.Host = h
}

// restart ends a member's process and starts another one on what was durable.
func (g *group) restart(m *member) {
	g.t.Helper()
	m.Close() //nolint:errcheck // it may have failed on purpose
	m.log = m.log.Reopen()
	g.start(m)
}

// leader waits for one that leads, on the simulated clock. One that was deposed may not know
// it yet, and one that was stopped never will.
func (g *group) leader() *member {
	g.t.Helper()
	for range 1000 {
		synctest.Wait()
		var leader *member
		for _, m := range g.members {
			if s := m.State(); s.Role == replica.Leader && m.running() && (leader == nil || s.Term > leader.State().Term) {
				leader = m
			}
		}
		if leader != nil {
			return leader
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatal("nobody leads after 20 s")
	return nil
}

// otherLeads reports whether another member than old leads in a newer term.
func (g *group) otherLeads(old *member) bool {
	for _, m := range g.members {
		if m != old && m.State().Role == replica.Leader && m.State().Term > 1 {
			return true
		}
	}
	return false
}

// follower gives one that does not lead.
func (g *group) follower() *member {
	l := g.leader()
	for _, m := range g.members {
		if m != l {
			return m
		}
	}
	return nil
}

func (g *group) propose(m *member, payload string) {
	g.t.Helper()
	if _, err := tryPropose(m, payload, 5*time.Second); err != nil {
		g.t.Fatalf("proposing %q on member %d: %v", payload, m.id, err)
	}
}

func tryPropose(m *member, payload string, bound time.Duration) (machine.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return m.Propose(ctx, []byte(payload))
}

func barrier(m *member, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return m.ReadBarrier(ctx)
}

// until waits for a condition on the simulated clock.
func (g *group) until(what string, f func() bool) {
	g.t.Helper()
	for range 1500 {
		synctest.Wait()
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatalf("after 30 s: %s is not so", what)
}
