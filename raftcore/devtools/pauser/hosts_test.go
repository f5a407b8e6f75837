package pauser_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/replica"
	"github.com/quorate/quorate/raftcore/transport"
)

// counter counts its commands.
type counter struct{ n uint64 }

func (c *counter) Apply(commands []machine.Command, results []machine.Result) error {
	for i := range commands {
		c.n++
		results[i].Value = c.n
	}
	return nil
}

func (c *counter) Snapshot() (machine.Snapshot, error)           { return nil, fmt.Errorf("no snapshots here") }
func (c *counter) Restore(_ protocol.EntryID, _ io.Reader) error { return nil }
func (c *counter) Close() error                                  { return nil }

// start starts three hosts in memory that pass everything by the pauser.
func start(t *testing.T, p *pauser.Pauser) []*host.Host {
	members := protocol.Membership{}
	for id := range protocol.MemberID(3) {
		members.Members = append(members.Members, protocol.Member{ID: id + 1, Address: fmt.Sprint(id + 1), Suffrage: protocol.Voter})
	}
	board := memcomms.Watched(codec.Identity{}, p.Pass)
	var hosts []*host.Host
	for _, m := range members.Members {
		o := host.Options{
			ID: m.ID, Membership: members, Seed: uint64(m.ID),
			Log: memlog.NewLog(), Votes: &memlog.Votes{}, Snapshots: &memlog.Snapshots{},
			Machine: &counter{}, Serializer: codec.Msgpack{},
			Connect: func(h transport.Handler) (transport.Comms, error) { return board.Connect(m.ID, h), nil },
		}
		p.Attach(&o)
		h, err := host.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
		t.Cleanup(func() {
			p.Close()
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return hosts
}

// A group that is paused stands still for as long as one likes; then it goes on.
func TestHostsStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pauser.Pauser
		hosts := start(t, &p)
		p.StopWhen(pauser.Becomes(pauser.Any, replica.Leader))
		e, err := p.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before := p.Look()
		<-time.After(time.Hour)
		if d := cmp.Diff(before, p.Look()); d != "" {
			t.Errorf("members changed while they were paused (-before +after):\n%s", d)
		}
		leaders := 0
		for _, s := range before {
			if s.Role == replica.Leader {
				leaders++
			}
		}
		if leaders != 1 || e.Status.Role != replica.Leader {
			t.Errorf("stopped at %+v with %d leaders, want the first leader", e, leaders)
		}
		p.Continue()
		if r, err := hosts[0].Propose(t.Context(), []byte("x")); err != nil || r.Value != uint64(1) {
			t.Errorf("after the pause a command gives %v, %v; want 1", r.Value, err)
		}
	})
}

// Message after message, by steps, a group gets to where a condition would have led it.
func TestHostsGoStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pauser.Pauser
		start(t, &p)
		p.StopWhen(pauser.Sends(protocol.KindVoteRequest, pauser.Any, pauser.Any))
		e, err := p.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		candidate := e.Member
		for steps := 0; e.Status.Role != replica.Leader; steps++ {
			if steps == 100 {
				t.Fatalf("no leader after %d steps; members: %+v", steps, p.Look())
			}
			if e, err = p.Step(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if e.Member != candidate {
			t.Errorf("member %d leads, though member %d asked for votes first", e.Member, candidate)
		}
	})
}
