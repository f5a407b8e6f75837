package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/node/nodeapi"
)

// joinArgs are those of a member that joins the cluster "c" and knows nobody.
func joinArgs(base, member int, dir string, more ...string) []string {
	args := serveArgs(base, member, member, dir, append([]string{"--join", "--advertise-peer", address(base, member, peerPort)}, more...)...)
	i := slices.Index(args, "--initial-members")
	return slices.Delete(args, i, i+2)
}

func adminOf(base, member int) string { return "http://" + address(base, member, adminPort) }

// startMembers runs the members 1 to n of a cluster until they serve.
func startMembers(t *testing.T, h *http.Client, base, n int, dir string, more ...string) []*process {
	t.Helper()
	var all []*process
	for i := 1; i <= n; i++ {
		all = append(all, node(t, fmt.Sprintf("m-%d", i), serveArgs(base, i, n, dir, more...)...))
	}
	for i := 1; i <= n; i++ {
		ready(t, h, adminOf(base, i))
	}
	return all
}

// change asks whoever leads for a change of the membership, until it is made.
func change(t *testing.T, h *http.Client, base int, members []int, c nodeapi.MemberChange) (made nodeapi.Membership) {
	t.Helper()
	eventually(t, fmt.Sprintf("the change %+v is made", c), func() error {
		leader, err := leaderOf(h, base, members)
		if err != nil {
			return err
		}
		c.ClusterID, c.Leader = "c", uint64(leader)
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		r, err := h.Post(adminOf(base, leader)+nodeapi.PathMembers, "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		answer, err := io.ReadAll(r.Body)
		if err == nil && r.StatusCode != http.StatusOK {
			err = fmt.Errorf("code %d: %s", r.StatusCode, answer)
		}
		if err == nil {
			err = json.Unmarshal(answer, &made)
		}
		return err
	})
	return made
}

func leaderOf(h *http.Client, base int, members []int) (int, error) {
	for _, m := range members {
		if s, err := status(h, adminOf(base, m)); err == nil && s.Role == nodeapi.RoleLeader {
			return m, nil
		}
	}
	return 0, errors.New("nobody leads")
}

// A fourth member joins a group that works, catches up, and takes a follower's place in one
// step; then a fifth takes the leader's. Clients see no wrong answers; the removed members
// tell what they are and stay alive.
func TestMembersAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	base, dir, h := freeBase(t, 5), t.TempDir(), plainHTTP(t)
	processes := startMembers(t, h, base, 3, dir)
	l := startTraffic(t, address(base, 1, clientPort), address(base, 2, clientPort), address(base, 3, clientPort))
	l.more(t, 50)
	voters := []int{1, 2, 3}
	for i, joining := range []int{4, 5} {
		joinUnderLoad(t, h, base, joining, dir, voters)
		l.more(t, 50)
		leader, err := leaderOf(h, base, voters)
		if err != nil {
			leader = voters[0] // an election goes on: any member may be the one that leaves
		}
		at := slices.Index(voters, leader)
		if i == 0 {
			at = (at + 1) % len(voters)
		}
		leaving := voters[at]
		voters[at] = joining
		l.move(address(base, leaving, clientPort), address(base, joining, clientPort))
		made := change(t, h, base, append([]int{leaving}, voters...), nodeapi.MemberChange{Promote: uint64(joining), Remove: uint64(leaving)})
		wantVoters(t, made, voters)
		l.more(t, 50)
		wantRemoved(t, h, adminOf(base, leaving))
		p := processes[leaving-1]
		p.stop(syscall.SIGTERM)
		again := node(t, p.name+" again", p.cmd.Args[1:]...)
		eventually(t, "a removed member that is started again tells what it knows", func() error {
			s, err := status(h, adminOf(base, leaving))
			if err == nil && (s.Membership == nil || s.Health != nil || holds(s.Membership, leaving)) {
				err = fmt.Errorf("status %+v", s)
			}
			return err
		})
		again.stop(syscall.SIGTERM)
	}
	l.finish(t)
}

// joinUnderLoad starts a member on an empty volume and has the leader add it.
func joinUnderLoad(t *testing.T, h *http.Client, base, member int, dir string, voters []int) {
	t.Helper()
	node(t, fmt.Sprintf("m-%d", member), joinArgs(base, member, dir)...)
	var s nodeapi.Status
	eventually(t, "the joining member tells its volume", func() (err error) {
		if s, err = status(h, adminOf(base, member)); err == nil && (s.Incarnation == "" || s.Role != nodeapi.RoleLearner || s.Term != 0) {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	change(t, h, base, voters, nodeapi.MemberChange{Add: &nodeapi.MemberInfo{
		ID: uint64(member), Name: s.Name, Peer: address(base, member, peerPort), Client: address(base, member, clientPort), Incarnation: s.Incarnation,
	}})
	ready(t, h, adminOf(base, member))
}

func wantVoters(t *testing.T, m nodeapi.Membership, want []int) {
	t.Helper()
	var got []int
	for _, x := range m.Members {
		if x.Suffrage == nodeapi.SuffrageVoter {
			got = append(got, int(x.ID))
		}
	}
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, got); diff != "" || m.Joint || !m.Committed || len(m.Members) != len(want) {
		t.Errorf("the membership is %+v, voters (-want +got):\n%s", m, diff)
	}
}

func holds(m *nodeapi.Membership, id int) bool {
	return slices.ContainsFunc(m.Members, func(x nodeapi.MemberInfo) bool { return x.ID == uint64(id) })
}

func wantRemoved(t *testing.T, h *http.Client, endpoint string) {
	t.Helper()
	eventually(t, endpoint+" says that it was removed", func() error {
		s, err := status(h, endpoint)
		if err == nil && !s.Removed {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	code, body, err := get(h, endpoint+nodeapi.PathReadyz)
	if err != nil || code != http.StatusServiceUnavailable || !strings.Contains(body, "this member was removed from the cluster") {
		t.Errorf("readiness is %d: %s, %v", code, body, err)
	}
	if code, _, err := get(h, endpoint+nodeapi.PathLivez); err != nil || code != http.StatusOK {
		t.Errorf("a removed member is not alive: %d, %v", code, err)
	}
}

// etcd's own client adds, promotes and removes members, through any of them.
func TestEtcdctlChangesMembers(t *testing.T) {
	t.Parallel()
	base, dir, h := freeBase(t, 4), t.TempDir(), plainHTTP(t)
	startMembers(t, h, base, 3, dir)
	var e [5]etcdctl
	for i := 1; i <= 4; i++ {
		e[i] = newEtcdctl(t).at(address(base, i, clientPort))
	}
	url := "http://" + address(base, 4, peerPort)
	e[1].fails("etcdserver: Peer URLs already exists", "member", "add", "m-4", "--peer-urls=http://"+address(base, 2, peerPort))
	e[1].fails("etcdserver: member not found", "member", "remove", "7")
	e[2].fails("etcdserver: member not found", "member", "promote", "7")
	e[3].fails("etcdserver: can only promote a learner member", "member", "promote", "1")
	if out := e[2].gives("", "member", "add", "m-4", "--learner", "--peer-urls="+url); !strings.Contains(out, "Member                4 added as learner to cluster") {
		t.Errorf("member add prints %q", out)
	}
	e[3].fails("etcdserver: can only promote a learner member which is in sync with leader", "member", "promote", "4")
	e[1].fails("etcdserver: too many learner members in cluster", "member", "add", "m-5", "--learner", "--peer-urls=http://127.0.0.1:1")
	node(t, "m-4", joinArgs(base, 4, dir)...)
	ready(t, h, adminOf(base, 4))
	if out := e[3].gives("", "member", "promote", "4"); !strings.Contains(out, "Member                4 promoted in cluster") {
		t.Errorf("member promote prints %q", out)
	}
	e[2].gives("", "member", "remove", "1")
	type member struct {
		ID                   uint64
		Name                 string
		PeerURLs, ClientURLs []string
		IsLearner            bool
	}
	var want []member
	for i := 2; i <= 4; i++ {
		want = append(want, member{
			uint64(i), "m-" + strconv.Itoa(i),
			[]string{"http://" + address(base, i, peerPort)},
			[]string{"http://" + address(base, i, clientPort)},
			false,
		})
	}
	got := decode[struct{ Members []member }](t, e[4].gives("", "member", "list", "--write-out=json")).Members
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("member list (-want +got):\n%s", diff)
	}
	wantRemoved(t, h, adminOf(base, 1))
	e[4].wants("OK\n", "put", "k", "v")
}

// Under the operator the membership is not the clients' to change; leadership may move.
func TestOperatorOwnsTheMembership(t *testing.T) {
	t.Parallel()
	base, h := freeBase(t, 1), plainHTTP(t)
	p := start(t, "m-1", binary, []string{nodeapi.EnvMembership + "=" + nodeapi.MembershipByOperator}, serveArgs(base, 1, 1, filepath.Join(t.TempDir(), "d"))...)
	ready(t, h, adminOf(base, 1))
	e := newEtcdctl(t).at(address(base, 1, clientPort))
	for _, args := range [][]string{
		{"member", "add", "m-2", "--peer-urls=http://127.0.0.1:1"},
		{"member", "remove", "1"},
		{"member", "promote", "1"},
		{"member", "update", "1", "--peer-urls=http://127.0.0.1:1"},
	} {
		e.fails("the operator decides who is a member of this cluster: change spec.replicas", args...)
	}
	change(t, h, base, []int{1}, nodeapi.MemberChange{Add: &nodeapi.MemberInfo{ID: 2, Peer: "127.0.0.1:1"}})
	p.stop(syscall.SIGTERM)
}

// A change of the membership is handed on to the leader with certificates as clients have them.
func (c *trio) testMembers(t *testing.T) {
	for through := 1; through <= 3; through++ {
		x := c.client(t, c.tls(), through)
		added, err := x.MemberAddAsLearner(patiently(t), []string{"https://127.0.0.1:1"})
		if err != nil {
			t.Fatalf("adding through member %d: %v", through, err)
		}
		removed, err := x.MemberRemove(patiently(t), added.Member.ID)
		if err != nil || len(removed.Members) != 3 || added.Member.ID != uint64(3+through) {
			t.Errorf("through member %d, %v was added, and left are %v, %v", through, added.Member, removed, err)
		}
	}
}
