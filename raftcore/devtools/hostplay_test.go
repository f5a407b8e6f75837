package devtools_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/devtools/memcomms"
	"github.com/quorate/quorate/raftcore/devtools/memlog"
	"github.com/quorate/quorate/raftcore/devtools/pauser"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport"
)

// hostPlay is a group of real hosts on its way into a situation, for what hosts do and
// replicas do not. It goes on one event at a time, so that each run is the same.
type hostPlay struct {
	*play   // its Cluster is nil
	pauser  pauser.Pauser
	board   *memcomms.Switchboard
	members protocol.Membership
	disks   map[protocol.MemberID]*hostDisk
	hosts   map[protocol.MemberID]*host.Host

	configured map[protocol.MemberID]string // what was told of them last
}

type hostDisk struct {
	log   *memlog.Log
	votes memlog.Votes
	snaps memlog.Snapshots
}

// performHosts plays with three hosts.
func performHosts(t *testing.T, stage func(*hostPlay)) *play {
	t.Helper()
	p := &play{T: t}
	synctest.Test(t, func(t *testing.T) {
		h := &hostPlay{play: p, pauser: pauser.Pauser{Settle: synctest.Wait}, disks: map[protocol.MemberID]*hostDisk{}, hosts: map[protocol.MemberID]*host.Host{}, configured: map[protocol.MemberID]string{}}
		p.T = t
		h.pauser.StopWhen(pauser.After(1))
		h.board = memcomms.Watched(codec.Identity{}, h.pauser.Pass)
		for id := protocol.MemberID(1); id <= 3; id++ {
			h.members.Members = append(h.members.Members, protocol.Member{ID: id, Address: fmt.Sprint(id), Suffrage: protocol.Voter})
			h.disks[id] = &hostDisk{log: memlog.NewLog()}
		}
		defer func() {
			h.pauser.Close()
			for _, x := range h.hosts {
				x.Close() //nolint:errcheck // nothing is expected of it any more
			}
		}()
		for id := protocol.MemberID(1); id <= 3; id++ {
			h.start(id)
		}
		stage(h)
	})
	p.T = t
	return p
}

func (h *hostPlay) start(id protocol.MemberID) {
	h.Helper()
	d := h.disks[id]
	o := host.Options{
		ID: id, Membership: h.members, Seed: uint64(id) + 4,
		Log: d.log, Votes: &d.votes, Snapshots: &d.snaps, Machine: &counter{}, Serializer: codec.Msgpack{},
		Connect: func(handler transport.Handler) (transport.Comms, error) { return h.board.Connect(id, handler), nil },
	}
	h.pauser.Attach(&o)
	x, err := host.Start(o)
	if err != nil {
		h.Fatal(err)
	}
	h.hosts[id] = x
}

// step lets one thing happen.
func (h *hostPlay) step() pauser.Event {
	h.Helper()
	e, err := h.pauser.StepTo(h.Context(), pauser.After(1))
	if err != nil {
		h.Fatal(err)
	}
	h.events = append(h.events, e)
	h.tellConfigurations()
	return e
}

// tellConfigurations notes who goes by another configuration than before.
func (h *hostPlay) tellConfigurations() {
	for id := protocol.MemberID(1); id <= protocol.MemberID(len(h.hosts)); id++ {
		x, ok := h.hosts[id]
		if !ok {
			continue
		}
		says := configuration(x.Membership())
		if was, known := h.configured[id]; known && was != says {
			h.say(id, "goes by the configuration: %s", says)
		}
		h.configured[id] = says
	}
}

func configuration(m protocol.Membership) string {
	says := "voters" + list(m.Voters())
	if len(m.Outgoing) > 0 {
		says += ", joint with" + list(m.Outgoing)
	}
	if l := m.Learners(); len(l) > 0 {
		says += ", learners" + list(l)
	}
	return says
}

func list(ids []protocol.MemberID) string {
	s := ""
	for _, id := range ids {
		s += fmt.Sprintf(" %d", id)
	}
	return s
}

func (h *hostPlay) until(met func(pauser.Event) bool) pauser.Event {
	h.Helper()
	for range 20_000 {
		if e := h.step(); met(e) {
			return e
		}
	}
	h.Fatal("not reached in 20,000 events")
	return pauser.Event{}
}

// during lets things happen until something that blocks has returned.
func (h *hostPlay) during(do func()) {
	h.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	h.until(func(pauser.Event) bool {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}

// draw begins the picture with what everybody has.
func (h *hostPlay) draw() {
	h.hidden = [][2]int{{0, len(h.events)}}
	for _, s := range h.pauser.Look() {
		h.events = append(h.events, pauser.Event{Kind: pauser.Changed, Member: s.Member, Status: s})
	}
}

// begin lets member 1 be elected and entries 2/1 to 4/1 be applied; the picture begins
// there.
func (h *hostPlay) begin() {
	leader := h.until(pauser.HasLeader(pauser.Every)).Group[0].Leader
	h.claim("member 1 leads", leader == 1)
	for range 3 {
		h.during(func() { h.hosts[leader].Propose(context.Background(), []byte("x")) }) //nolint:errcheck // it is seen to be applied
	}
	h.until(pauser.AppliedReaches(pauser.Every, 4))
}

// change lets member 1 change the configuration, until the change is complete.
func (h *hostPlay) change(c membership.Change) {
	h.during(func() {
		if _, err := h.hosts[1].ChangeMembership(context.Background(), c); err != nil {
			h.Error(err)
		}
	})
}

// learnerPromotion: member 4 joins as a learner, catches up and becomes a voter.
func learnerPromotion(h *hostPlay) {
	h.begin()
	h.disks[4] = &hostDisk{log: memlog.NewLog()}
	h.draw()
	h.say(1, "is asked to add member 4")
	h.change(membership.Change{Add: []protocol.Member{{ID: 4, Address: "4"}}})
	h.start(4)
	h.say(4, "is started with an empty log")
	h.until(pauser.AppliedReaches(4, 5))
	h.say(1, "is asked to promote member 4")
	h.change(membership.Change{Promote: []protocol.MemberID{4}})
	h.until(pauser.CommitReaches(4, 6))
}

// jointReplacement: learner 4 takes the place of voter 3 in one change.
func jointReplacement(h *hostPlay) {
	h.begin()
	h.disks[4] = &hostDisk{log: memlog.NewLog()}
	h.change(membership.Change{Add: []protocol.Member{{ID: 4, Address: "4"}}})
	h.start(4)
	h.until(pauser.AppliedReaches(pauser.Every, 5))
	h.draw()
	h.say(1, "is asked to promote member 4 and to remove member 3")
	h.change(membership.Change{Promote: []protocol.MemberID{4}, Remove: []protocol.MemberID{3}})
	h.until(pauser.CommitReaches(4, 7))
}

// damagedRecord: a follower finds a damaged record when it starts.
func damagedRecord(h *hostPlay) {
	h.begin()
	const ill = 3
	d := h.disks[ill]
	h.during(func() { h.hosts[ill].Close() }) //nolint:errcheck // nothing is expected of it any more
	d.log = d.log.Reopen()
	d.log.Damage(3)
	h.draw()
	h.say(ill, "the record of entry 3/1 on its disk is damaged")
	h.start(ill)
	h.until(pauser.CommitReaches(ill, 4))
	h.until(func(pauser.Event) bool { return len(d.log.Damaged()) == 0 })
	h.say(ill, "the record is whole again")
	h.until(pauser.AppliedReaches(ill, 4))
	h.say(ill, "applies entries 1/1 to 4/1")
	asked := slices.ContainsFunc(h.events, func(e pauser.Event) bool {
		ask, ok := e.Message.Body.(*protocol.RepairRequest)
		return ok && slices.Equal(ask.Entries, []protocol.EntryID{entry(3, 1)})
	})
	h.claim("it asks for entry 3/1 alone", asked)
}
