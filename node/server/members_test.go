package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/fault"
)

// startGroup runs a group of three until it serves.
func startGroup(t *testing.T) ([]*Member, []func() error) {
	t.Helper()
	members, stops := make([]*Member, 3), make([]func() error, 3)
	for i, c := range groupConfigs(t) {
		members[i], stops[i] = startMember(t, app, c)
	}
	for _, m := range members {
		awaitReady(t, m)
	}
	propose(t, members[0])
	return members, stops
}

// joinConfig gives a member that knows nobody.
func joinConfig(t *testing.T, id uint64) Config {
	t.Helper()
	c := testConfig(t, 1, 1)
	c.MemberID, c.Name, c.Join = id, fmt.Sprintf("m-%d", id), true
	c.InitialMembers = ""
	c.members.Members = nil
	c.AdvertisePeer, c.AdvertiseClient = c.ListenPeer, c.ListenClient
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func infoOf(c Config, incarnation string) *nodeapi.MemberInfo {
	return &nodeapi.MemberInfo{ID: c.MemberID, Name: c.Name, Peer: c.AdvertisePeer, Client: c.AdvertiseClient, Incarnation: incarnation}
}

func leaderOf(t *testing.T, members []*Member) *Member {
	t.Helper()
	var leader *Member
	await(t, "one member leads", func() bool {
		for _, m := range members {
			if s := m.Status(); s.Role == nodeapi.RoleLeader {
				leader = m
				return true
			}
		}
		return false
	})
	return leader
}

// change asks the leader for a change until it is made, as the operator does.
func change(t *testing.T, members []*Member, c nodeapi.MemberChange) *nodeapi.Membership {
	t.Helper()
	var made *nodeapi.Membership
	await(t, fmt.Sprintf("the change %+v is made", c), func() bool {
		l := leaderOf(t, members)
		c.ClusterID, c.Leader = "c", l.cfg.MemberID
		m, err := l.ChangeMembers(t.Context(), c)
		switch r, _ := errors.AsType[*admin.RefusedError](err); {
		case err == nil:
			made = m
		case r == nil || r.Reason == nodeapi.RefusedInvalid:
			t.Fatalf("the change %+v ends with %v", c, err)
		}
		return err == nil
	})
	return made
}

func memberOf(m *nodeapi.Membership, id uint64) nodeapi.MemberInfo {
	if m != nil {
		for _, x := range m.Members {
			if x.ID == id {
				return x
			}
		}
	}
	return nodeapi.MemberInfo{}
}

// A member that joins an empty volume tells who it is and waits. It stands in no election; it
// is ready when it has what the others have, and votes when it was promoted.
func TestJoin(t *testing.T) {
	cfg := joinConfig(t, 4)
	m, stop := startMember(t, app, cfg)
	await(t, "it tells its volume", func() bool { return m.Status().Incarnation != "" })
	incarnation := m.Status().Incarnation
	stop() //nolint:errcheck // it ends in order
	m, _ = startMember(t, app, cfg)
	group, _ := startGroup(t) // which takes it longer than election timeouts
	await(t, "it takes part", func() bool { _, s, _ := m.parts(); return s != nil })
	s := m.Status()
	if s.Role != nodeapi.RoleLearner || s.Term != 0 || s.Membership != nil || s.AwaitsFounding || s.Incarnation != incarnation || len(s.Voters) != 0 {
		t.Errorf("before it is added it says %+v, its incarnation was %s", s, incarnation)
	}
	wantNotReady(t, m, "waiting for a leader to add this member")

	change(t, group, nodeapi.MemberChange{Add: infoOf(cfg, incarnation)})
	awaitReady(t, m)
	if s := m.Status(); s.Role != nodeapi.RoleLearner || len(s.Voters) != 3 || len(s.Learners) != 1 || memberOf(s.Membership, 4).Suffrage != nodeapi.SuffrageLearner {
		t.Errorf("the learner says %+v", s)
	}
	promoted := change(t, group, nodeapi.MemberChange{Promote: 4})
	if x := memberOf(promoted, 4); x.Suffrage != nodeapi.SuffrageVoter || x.Incarnation != incarnation || x.Name != "m-4" || x.Client != cfg.AdvertiseClient {
		t.Errorf("the promoted member is %+v", x)
	}
	await(t, "it knows that it votes", func() bool { return m.Status().Role == nodeapi.RoleFollower })
}

func wantNotReady(t *testing.T, m *Member, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*m.cfg.HeartbeatInterval)
	defer cancel()
	if err := m.Ready(ctx); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("ready gives %v, want %q", err, want)
	}
}

// One takes another's place in a step; the other one tells that it was removed, and stays
// alive. After a restart it may not know that this is committed, but has it in its log.
func TestReplaced(t *testing.T) {
	group, stops := startGroup(t)
	cfg := joinConfig(t, 4)
	m, _ := startMember(t, app, cfg)
	change(t, group, nodeapi.MemberChange{Add: infoOf(cfg, "")})
	awaitReady(t, m)
	leader := leaderOf(t, group)
	out := 0
	for group[out] == leader {
		out++
	}
	id, victim := group[out].cfg.MemberID, group[out]
	after := change(t, group, nodeapi.MemberChange{Promote: 4, Remove: id})
	if memberOf(after, id).ID != 0 || memberOf(after, 4).Suffrage != nodeapi.SuffrageVoter || len(after.Members) != 3 || after.Joint || !after.Committed || after.Highest != 4 {
		t.Errorf("the membership is %+v", after)
	}
	await(t, "it knows that it was removed", func() bool { return victim.Status().Removed })
	if s := victim.Status(); s.Role != nodeapi.RoleLearner || s.Health != nil || memberOf(s.Membership, id).ID != 0 || !s.Membership.Committed {
		t.Errorf("the removed member says %+v", s)
	}
	wantNotReady(t, victim, "this member was removed from the cluster")
	stops[out]() //nolint:errcheck // it ends in order
	victim, _ = startMember(t, app, victim.cfg)
	await(t, "it takes part again", func() bool { return victim.Status().Membership != nil })
	if s := victim.Status(); s.Health != nil || memberOf(s.Membership, id).ID != 0 || memberOf(s.Membership, 4).Suffrage != nodeapi.SuffrageVoter {
		t.Errorf("the removed member says after a restart %+v", s)
	}
	wantNotReady(t, victim, "this member was removed from the cluster")
	group[out] = m
	for range 2 { // what is so already is no change
		same := change(t, group, nodeapi.MemberChange{Promote: 4, Remove: id})
		if same.Index < after.Index || len(same.Members) != 3 {
			t.Errorf("asked again, the membership is %+v, it was %+v", same, after)
		}
	}
	change(t, group, nodeapi.MemberChange{Remove: id})
	if got := propose(t, m); got == nil {
		t.Error("the new member takes no commands")
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	group, _ := startGroup(t)
	cfg := joinConfig(t, 4)
	m, _ := startMember(t, app, cfg)
	await(t, "it tells its volume", func() bool { return m.Status().Incarnation != "" })
	incarnation := m.Status().Incarnation
	for range 2 { // a repeated request is harmless
		change(t, group, nodeapi.MemberChange{Add: infoOf(cfg, incarnation)})
	}
	with := func(f func(*nodeapi.MemberInfo)) *nodeapi.MemberInfo {
		x := infoOf(cfg, incarnation)
		f(x)
		return x
	}
	for _, c := range []struct {
		name      string
		change    nodeapi.MemberChange
		want      nodeapi.RefusalReason
		text      string
		senseless bool
	}{
		{"nothing", nodeapi.MemberChange{}, nodeapi.RefusedInvalid, "asks for nothing", true},
		{"too much", nodeapi.MemberChange{Add: infoOf(cfg, ""), Promote: 4}, nodeapi.RefusedInvalid, "one after the other", true},
		{"both", nodeapi.MemberChange{Promote: 4, Remove: 4}, nodeapi.RefusedInvalid, "at once", true},
		{"no ID", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.ID = 0 })}, nodeapi.RefusedInvalid, "add.id is 0", true},
		{"no peer", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.Peer = "h" })}, nodeapi.RefusedInvalid, `add.peer is "h"`, true},
		{"client", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.Client = "http://h:1" })}, nodeapi.RefusedInvalid, "add.client is", true},
		{"no volume", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.Incarnation = "x" })}, nodeapi.RefusedInvalid, "add.incarnation is", true},
		{"another cluster", nodeapi.MemberChange{ClusterID: "d", Promote: 4}, nodeapi.RefusedInvalid, `clusterID is "c" here, not "d"`, false},
		{"another member", nodeapi.MemberChange{Leader: 9, Promote: 4}, nodeapi.RefusedNotLeader, "not 9", false},
		{"another address", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.Peer = "h:1" })}, nodeapi.RefusedInvalid, "take a new ID above 4", false},
		{"another volume", nodeapi.MemberChange{Add: with(func(x *nodeapi.MemberInfo) { x.Incarnation = "ff" })}, nodeapi.RefusedInvalid, "another volume is a new member", false},
		{"ID never used", nodeapi.MemberChange{Remove: 7}, nodeapi.RefusedInvalid, "there is no member 7", false},
		{"promote a stranger", nodeapi.MemberChange{Promote: 7}, nodeapi.RefusedInvalid, "there is no member 7", false},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefused(t, group, c.change, c.want, c.text, c.senseless) })
	}
	own := leaderOf(t, group).cfg.MemberID
	follower := group[own%3]
	wantRefused(t, []*Member{follower}, nodeapi.MemberChange{Leader: follower.cfg.MemberID, Promote: 4}, nodeapi.RefusedNotLeader, "for the leader", false)
	cold := joinConfig(t, 5) // is added but never started
	change(t, group, nodeapi.MemberChange{Add: infoOf(cold, "")})
	wantRefused(t, group, nodeapi.MemberChange{Promote: 5}, nodeapi.RefusedLearnerNotCaughtUp, "learner 5 was not heard", false)
}

// wantRefused asks the leader, and again while that may help.
func wantRefused(t *testing.T, members []*Member, c nodeapi.MemberChange, want nodeapi.RefusalReason, text string, senseless bool) {
	t.Helper()
	var r *admin.RefusedError
	if c.ClusterID == "" {
		c.ClusterID = "c"
	}
	await(t, "the change is refused for good", func() bool {
		asked, m := c, members[0]
		if c.Leader == 0 {
			m = leaderOf(t, members)
			asked.Leader = m.cfg.MemberID
		}
		_, err := m.ChangeMembers(t.Context(), asked)
		r, _ = errors.AsType[*admin.RefusedError](err)
		return r == nil || r.Reason == want || r.Reason == nodeapi.RefusedInvalid
	})
	if r == nil || r.Reason != want || !strings.Contains(r.Message, text) || r.Senseless != senseless {
		t.Errorf("the change %+v is answered with %+v, want %s and %q", c, r, want, text)
	}
}

// A learner whose volume is lost, or is not the one that was added, does not go on under its
// ID: it must be replaced by another one.
func TestAnotherVolumeThanTheOneThatWasAdded(t *testing.T) {
	group, _ := startGroup(t)
	cfg := joinConfig(t, 4)
	m, stop := startMember(t, app, cfg)
	await(t, "it tells its volume", func() bool { return m.Status().Incarnation != "" })
	change(t, group, nodeapi.MemberChange{Add: infoOf(cfg, m.Status().Incarnation)})
	awaitReady(t, m)
	stop() //nolint:errcheck // it ends in order
	if err := os.RemoveAll(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	m, _ = startMember(t, app, cfg)
	wiped := awaitFault(t, m, fault.VolumeLost)
	other := joinConfig(t, 5)
	change(t, group, nodeapi.MemberChange{Add: infoOf(other, wiped.Incarnation)})
	m, _ = startMember(t, app, other)
	for _, s := range []nodeapi.Status{wiped, awaitFault(t, m, fault.VolumeLost)} {
		if s.Role != nodeapi.RoleFenced || s.Health.Remedy != string(fault.ReplaceMember) {
			t.Errorf("member %d says %+v, health %+v", s.MemberID, s, s.Health)
		}
	}
	for _, id := range []uint64{4, 5} {
		change(t, group, nodeapi.MemberChange{Remove: id})
	}
}

// Members of two clusters that reach each other count that they want nothing of each other.
func TestRefusalsAreCounted(t *testing.T) {
	one, other := testConfig(t, 1, 1), testConfig(t, 1, 1)
	other.MemberID, other.ClusterID, other.Name = 2, "d", "m-2"
	other.InitialMembers, other.AdvertisePeer = "1="+one.ListenPeer+",2="+other.ListenPeer, ""
	if err := other.validate(); err != nil {
		t.Fatal(err)
	}
	a, _ := startMember(t, app, one)
	b, _ := startMember(t, app, other)
	counts := func(m *Member, by string) bool {
		for _, r := range m.refusals() {
			if r.Reason == "Cluster" && r.By == by && r.Count > 0 {
				return true
			}
		}
		return false
	}
	await(t, "the one that was called has refused", func() bool { return counts(a, "self") })
	await(t, "the one that called was refused", func() bool { return counts(b, "peer") })
	if counts(a, "peer") {
		t.Errorf("the one that never called was refused: %+v", a.refusals())
	}
}
