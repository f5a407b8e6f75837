package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/fault"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/storage"
)

var errDisk = errors.New("the disk says no")

// rottenLog gives damage for every read.
type rottenLog struct{ *memlog.Log }

func (rottenLog) Read(lo, _ protocol.Index, _ int) ([]protocol.Entry, error) {
	return nil, &storage.DamageError{File: "rotten", Index: lo, Reason: "checksum"}
}

// rottenVotes and rottenSnapshots are damaged at the start.
type rottenVotes struct{ memlog.Votes }

func (*rottenVotes) Load() (protocol.HardState, error) {
	return protocol.HardState{}, storage.ErrVotesDamaged
}

type rottenSnapshots struct{ memlog.Snapshots }

func (*rottenSnapshots) Latest() (protocol.SnapshotMeta, bool, error) {
	return protocol.SnapshotMeta{}, false, &storage.DamageError{File: "rotten", Reason: "checksum"}
}

// running are the faults that a member may meet while it runs: how to provoke one in
// a leader or a follower.
var running = []struct {
	name    string
	kind    fault.Kind
	provoke func(g *group, m *member)
}{
	{"the log cannot be written", fault.FsyncFailed, func(_ *group, m *member) { m.log.Fail(errDisk) }},
	{"the disk is full", fault.DiskFull, func(_ *group, m *member) { m.log.Fail(syscall.ENOSPC) }},
	{"the vote exceeds a quota", fault.DiskFull, func(g *group, m *member) {
		m.votes.Fail(syscall.EDQUOT)
		g.forge(m, protocol.Message{Term: m.State().Term + 5, Body: &protocol.AppendRequest{}})
	}},
	{"the vote cannot be written", fault.FsyncFailed, func(g *group, m *member) {
		m.votes.Fail(errDisk)
		g.forge(m, protocol.Message{Term: m.State().Term + 5, Body: &protocol.AppendRequest{}})
	}},
	{"the state machine gives up", fault.ApplyFailed, func(_ *group, m *member) {
		m.ledger.mu.Lock()
		m.ledger.fail = errDisk
		m.ledger.mu.Unlock()
	}},
	{"a newer version proposed the command", fault.ConfigInvalid, func(_ *group, m *member) {
		m.ledger.mu.Lock()
		m.ledger.fail = fmt.Errorf("operation 9: %w", machine.ErrNewer)
		m.ledger.mu.Unlock()
	}},
	{"a committed entry is overwritten", fault.InvariantBroken, func(g *group, m *member) {
		s := m.Status()
		g.forge(m, protocol.Message{Term: s.Term + 5, Body: &protocol.AppendRequest{
			Entries: []protocol.Entry{{Index: 1, Term: s.Term + 5, Kind: protocol.EntryNoOp}},
		}})
	}},
}

// forge hands a member a message as if another one had sent it.
func (g *group) forge(m *member, x protocol.Message) {
	other := g.members[int(m.id)%len(g.members)]
	x.From, x.To = other.id, m.id
	other.comms.Send([]protocol.Message{x})
}

// A fault that a member cannot survive: it is reported, the embedder is asked, the
// clients are let go, the member is fenced, and the others go on.
func TestFaultsOfARunningMember(t *testing.T) {
	for _, c := range running {
		t.Run(c.name, func(t *testing.T) {
			asked := make(chan *fault.Fault, 9)
			ask := func(o *host.Options) {
				o.OnUnrecoverable = func(f *fault.Fault) fault.Decision { asked <- f; return fault.Hold }
			}
			bubble(t, 3, ask, func(g *group) {
				asked = make(chan *fault.Fault, 9) // made in the bubble
				ill := g.follower()
				g.propose(g.leader(), "before")
				g.until("it is applied", func() bool { return len(ill.ledger.all()) == 1 })
				c.provoke(g, ill)
				go tryPropose(g.leader(), "trigger", 10*time.Second) //nolint:errcheck // only the fault matters
				g.until("it is fenced", func() bool { return ill.Fault() != nil })
				if f := <-asked; f.Kind != c.kind || ill.Fault().Kind != c.kind {
					t.Errorf("asked about %v, fenced by %v, want %s", f, ill.Fault(), c.kind)
				}
				if got := ill.reported.kinds(); !slices.Equal(got, []fault.Kind{c.kind}) {
					t.Errorf("reported %v, want %s once", got, c.kind)
				}
				if _, err := tryPropose(ill, "x", time.Second); !errors.Is(err, host.ErrFenced) {
					t.Errorf("a proposal on it gets %v", err)
				}
				if err := barrier(ill, time.Second); !errors.Is(err, host.ErrFenced) {
					t.Errorf("a read on it gets %v", err)
				}
				if s := ill.Status(); s.Fault == nil {
					t.Error("its status tells no fault")
				}
				g.propose(g.leader(), "the others go on")
			})
		})
	}
}

// A fenced leader is replaced, and what it had acknowledged is there.
func TestFencedLeader(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		old := g.leader()
		g.propose(old, "kept")
		old.log.Fail(errDisk)
		tryPropose(old, "fatal", time.Second) //nolint:errcheck // its fate is open
		if old.Fault() == nil {
			t.Fatal("the leader is not fenced")
		}
		if err := old.Transfer(t.Context(), 0); !errors.Is(err, host.ErrFenced) {
			t.Errorf("handing its leadership over gives %v", err)
		}
		g.until("another one leads", func() bool { l := g.leader(); return l != old })
		l := g.leader()
		g.propose(l, "after")
		if got := l.ledger.all(); got[0] != "kept" || got[len(got)-1] != "after" {
			t.Errorf("the new leader has %q", got)
		}
	})
}

// Die and Restart end the host, which tells the embedder what was wanted.
func TestDecisions(t *testing.T) {
	for _, d := range []fault.Decision{fault.Die, fault.RestartMember, fault.Hold} {
		t.Run(d.String(), func(t *testing.T) {
			decide := func(o *host.Options) {
				o.OnUnrecoverable = func(*fault.Fault) fault.Decision { return d }
			}
			bubble(t, 1, decide, func(g *group) {
				m := g.leader()
				m.log.Fail(errDisk)
				tryPropose(m, "x", time.Second) //nolint:errcheck // only the fault matters
				synctest.Wait()
				ended := false
				select {
				case <-m.Done():
					ended = true
				default:
				}
				if ended != (d != fault.Hold) || m.Decision() != d {
					t.Errorf("ended: %v, decision %v, want %v", ended, m.Decision(), d)
				}
			})
		})
	}
}

// A log record that cannot be read when a follower needs it fences the leader that has
// it, by the record's name.
func TestDamagedRecord(t *testing.T) {
	var rotten []rottenLog
	change := func(o *host.Options) {
		o.MaxTailBytes = 1 // whatever is applied is read from the log again
		if len(rotten) < 3 {
			rotten = append(rotten, rottenLog{o.Log.(*memlog.Log)})
		}
		o.Log = rotten[o.ID-1]
	}
	bubble(t, 3, change, func(g *group) {
		l, lag := g.leader(), g.follower()
		g.board.Isolate(lag.id)
		for range 50 {
			g.propose(l, "x")
		}
		g.board.Heal()
		g.until("the leader is fenced", func() bool { return l.Fault() != nil })
		var damage *storage.DamageError
		if f := l.Fault(); f.Kind != fault.LogCorrupt || !errors.As(f, &damage) || damage.Index == 0 {
			t.Errorf("fenced by %v", f)
		}
	})
}

// What is damaged at the start is told by a typed fault, and no member is started.
func TestFaultsAtTheStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   fault.Kind
		change func(*host.Options)
	}{
		{"both vote slots are bad", fault.MetaCorrupt, func(o *host.Options) { o.Votes = &rottenVotes{} }},
		{"the newest snapshot is bad", fault.SnapshotCorrupt, func(o *host.Options) { o.Snapshots = &rottenSnapshots{} }},
		{"the log begins too late", fault.LogCorrupt, func(o *host.Options) {
			done := make(chan error, 1)
			o.Log.Reset(protocol.EntryID{Index: 5, Term: 1}, nil, func(err error) { done <- err })
			if err := <-done; err != nil {
				t.Error(err)
			}
		}},
		{"timings that cannot work", fault.ConfigInvalid, func(o *host.Options) { o.ElectionTimeout = time.Millisecond }},
		{"a serializer without bytes", fault.ConfigInvalid, func(o *host.Options) { o.Serializer = codec.Identity{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &member{id: 1, log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}}
				g := &group{t: t, members: []*member{m}, change: c.change}
				_, err := host.Start(g.options(m))
				var f *fault.Fault
				if !errors.As(err, &f) || f.Kind != c.kind {
					t.Errorf("Start gives %v, want a fault %s", err, c.kind)
				}
			})
		})
	}
}

// A crash between the arrival of a snapshot and its installation, with a log whose
// tail conflicts with the snapshot beyond its end: the snapshot wins (paper section 7).
func TestCrashBeforeInstallation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &member{id: 1, log: memlog.NewLog(), votes: &memlog.Votes{}, snapshots: &memlog.Snapshots{}, reported: &reports{}}
		g := &group{t: t, board: memcomms.New(codec.Msgpack{}), members: []*member{m}}
		done := make(chan error, 1)
		var stale []protocol.Entry
		for i := range protocol.Index(9) {
			stale = append(stale, protocol.Entry{Index: i + 1, Term: 1, Kind: protocol.EntryNoOp})
		}
		m.log.Append(stale, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := m.votes.Save(protocol.HardState{Term: 3}); err != nil {
			t.Fatal(err)
		}
		last := protocol.EntryID{Index: 5, Term: 3}
		w, err := m.snapshots.Create(protocol.SnapshotMeta{Last: last, Membership: g.options(m).Membership})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (frozen{"kept"}).WriteTo(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		g.start(m)
		defer m.Close() //nolint:errcheck // the test is over
		g.leader()
		if s := m.Status(); s.Base != last || s.Last.Index != 6 {
			t.Errorf("the log is %+v to %+v, want %+v and the new term's entry", s.Base, s.Last, last)
		}
		if got := m.ledger.all(); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("the state is %q", got)
		}
	})
}

// A context that ends does not leave a waiter behind that takes somebody else's result.
func TestAbandonedProposal(t *testing.T) {
	bubble(t, 3, nil, func(g *group) {
		l := g.leader()
		for _, m := range g.members {
			m.log.Hold()
		}
		ctx, cancel := context.WithCancel(g.t.Context())
		done := make(chan error, 1)
		go func() { _, err := l.Propose(ctx, []byte("given up")); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it gets %v", err)
		}
		for _, m := range g.members {
			m.log.Release()
		}
		r, err := tryPropose(l, "next", 5*time.Second)
		if err != nil || r.Value != 2 {
			t.Errorf("the next one gets %v, %v; want its own result, 2", r.Value, err)
		}
	})
}
