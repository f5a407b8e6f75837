package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
)

// member is a Backend whose answers a test sets.
type member struct {
	status      nodeapi.Status
	notReady    error
	faults      []nodeapi.Health
	clearFailed error
	transfer    error
	transferTo  uint64
	found       error
	foundAs     nodeapi.FoundRequest
	change      error
	changedBy   nodeapi.MemberChange
}

func (m *member) Status() nodeapi.Status      { return m.status }
func (m *member) Ready(context.Context) error { return m.notReady }
func (m *member) Faults() []nodeapi.Health    { return m.faults }
func (m *member) ClearFaults() error          { m.faults = nil; return m.clearFailed }
func (m *member) Transfer(_ context.Context, to uint64) error {
	m.transferTo = to
	return m.transfer
}

func (m *member) Found(_ context.Context, r nodeapi.FoundRequest) error {
	m.foundAs = r
	return m.found
}

func (m *member) ChangeMembers(_ context.Context, c nodeapi.MemberChange) (*nodeapi.Membership, error) {
	m.changedBy = c
	return m.status.Membership, m.change
}

func refused(why nodeapi.RefusalReason, senseless bool) *admin.RefusedError {
	return &admin.RefusedError{Refusal: nodeapi.Refusal{Reason: why, Message: "for a reason"}, Senseless: senseless}
}

func serve(t *testing.T, m *member, method, path, body string) (int, string) {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(admin.NewCollector(m.Status), admin.NewPeerCollector(func() []admin.PeerRefusals {
		return []admin.PeerRefusals{{Reason: "TLS", By: "peer", Count: 2}, {Reason: "TLS", By: "self"}}
	}))
	w := httptest.NewRecorder()
	admin.Handler(m, reg).ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestPaths(t *testing.T) {
	leader := nodeapi.Status{Role: nodeapi.RoleLeader, Term: 7, Voters: []uint64{1, 2, 3}}
	for _, c := range []struct {
		name, method, path string
		member             member
		request            string
		code               int
		body               string
	}{
		{"alive", "GET", "/livez", member{}, "", 200, "ok"},
		{"alive though not ready", "GET", "/livez", member{notReady: errors.New("no leader")}, "", 200, "ok"},
		{"ready", "GET", "/readyz", member{}, "", 200, "ok"},
		{"not ready", "GET", "/readyz", member{notReady: errors.New("no leader")}, "", 503, "not ready: no leader"},
		{"status", "GET", "/statusz", member{status: leader}, "", 200, `"role": "Leader"`},
		{"metrics", "GET", "/metrics", member{status: leader}, "", 200, "quorate_raft_term 7\n"},
		{"leader metric", "GET", "/metrics", member{status: leader}, "", 200, "quorate_raft_is_leader 1\n"},
		{"voters metric", "GET", "/metrics", member{status: leader}, "", 200, "quorate_raft_voters 3\n"},
		{"membership metric", "GET", "/metrics", member{status: nodeapi.Status{Membership: &nodeapi.Membership{Index: 8, Joint: true}}}, "", 200, "quorate_raft_joint 1\n"},
		{"refusals metric", "GET", "/metrics", member{}, "", 200, `quorate_peer_refusals_total{by="peer",reason="TLS"} 2` + "\n"},
		{"no TLS metric", "GET", "/metrics", member{}, "", 200, "quorate_tls_certificate_not_after_timestamp_seconds 0\n"},
		{"TLS metric", "GET", "/metrics", member{status: nodeapi.Status{TLS: &nodeapi.TLS{
			Peer: &nodeapi.TLSFiles{NotAfter: time.Unix(2000, 0)}, Admin: &nodeapi.TLSFiles{NotAfter: time.Unix(1000, 0)},
		}}}, "", 200, "quorate_tls_certificate_not_after_timestamp_seconds 1000\n"},
		{"no faults", "GET", "/faults", member{}, "", 200, "[]"},
		{"faults", "GET", "/faults", member{faults: []nodeapi.Health{{Fault: "LogCorrupt"}}}, "", 200, `"fault": "LogCorrupt"`},
		{"forget", "DELETE", "/faults", member{}, "", 204, ""},
		{"forget fails", "DELETE", "/faults", member{clearFailed: errors.New("EIO")}, "", 500, "not on the volume: EIO"},
		{"transfer", "POST", "/transfer", member{}, "", 204, ""},
		{"transfer to nobody", "POST", "/transfer?to=x", member{}, "", 400, `parameter to is "x"`},
		{"transfer too slow", "POST", "/transfer", member{transfer: context.DeadlineExceeded}, "", 504, "still leads"},
		{"transfer refused", "POST", "/transfer", member{transfer: errors.New("fenced")}, "", 409, "fenced"},
		{"a GET changes nothing", "GET", "/transfer", member{}, "", 405, ""},
		{"found", "POST", "/found", member{}, `{"clusterID":"c","memberID":1,"incarnation":"ab"}`, 200, "ok"},
		{"found for another", "POST", "/found", member{found: errors.New("incarnation is cd here, not ab")}, `{"clusterID":"c"}`, 409, "incarnation is cd here"},
		{"found without a body", "POST", "/found", member{}, "", 400, "must be JSON"},
		{"found with a strange field", "POST", "/found", member{}, `{"cluster":"c"}`, 400, "unknown field"},
		{"change", "POST", "/members", member{status: nodeapi.Status{Membership: &nodeapi.Membership{Highest: 4}}}, `{"clusterID":"c","leader":1,"promote":4}`, 200, `"highest": 4`},
		{"change refused", "POST", "/members", member{change: refused(nodeapi.RefusedChangeInFlight, false)}, `{"promote":4}`, 409, `"reason": "ChangeInFlight"`},
		{"change without sense", "POST", "/members", member{change: refused(nodeapi.RefusedInvalid, true)}, `{"promote":4}`, 400, `"message": "for a reason"`},
		{"change with an open end", "POST", "/members", member{change: context.DeadlineExceeded}, `{"promote":4}`, 504, "look at the membership again"},
		{"change without a body", "POST", "/members", member{}, "", 400, `"reason": "Invalid"`},
		{"change with a strange field", "POST", "/members", member{}, `{"demote":4}`, 400, "unknown field"},
		{"a GET changes no members", "GET", "/members", member{}, "", 405, ""},
		{"pprof", "GET", "/debug/pprof/cmdline", member{}, "", 200, ""},
		{"unknown", "GET", "/nothing", member{}, "", 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, body := serve(t, &c.member, c.method, c.path, c.request)
			if code != c.code || !strings.Contains(body, c.body) {
				t.Errorf("%s %s: %d %q, want %d with %q", c.method, c.path, code, body, c.code, c.body)
			}
		})
	}
}

func TestTransferNamesTheMember(t *testing.T) {
	var m member
	serve(t, &m, http.MethodPost, "/transfer?to=3", "")
	if m.transferTo != 3 {
		t.Errorf("transferred to %d, want 3", m.transferTo)
	}
}

func TestFoundHandsTheRequestOver(t *testing.T) {
	var m member
	serve(t, &m, http.MethodPost, "/found", `{"clusterID":"c","memberID":2,"incarnation":"ab"}`)
	if d := cmp.Diff(nodeapi.FoundRequest{ClusterID: "c", MemberID: 2, Incarnation: "ab"}, m.foundAs); d != "" {
		t.Error(d)
	}
}

func TestMembersHandsTheChangeOver(t *testing.T) {
	want := nodeapi.MemberChange{
		ClusterID: "c", Leader: 2, Promote: 5, Remove: 1,
		Add: &nodeapi.MemberInfo{ID: 4, Name: "demo-4", Peer: "h:2380", Client: "h:2379", Incarnation: "ab"},
	}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var m member
	serve(t, &m, http.MethodPost, "/members", string(body))
	if d := cmp.Diff(want, m.changedBy); d != "" {
		t.Error(d)
	}
}

func TestStatusShape(t *testing.T) {
	want := nodeapi.Status{
		ClusterID: "c", MemberID: 2, Incarnation: "ab", Name: "demo-2", Role: nodeapi.RoleFenced, Term: 3, LeaderID: 1,
		LastIndex: 9, CommitIndex: 8, AppliedIndex: 7, Voters: []uint64{1, 2, 3}, Learners: []uint64{},
		Health:  &nodeapi.Health{Fault: "LogCorrupt", Remedy: "RepairFromPeers", Message: "m", At: time.Unix(1, 0).UTC()},
		Disk:    nodeapi.Disk{Used: 1, Free: 2, Reserved: 3, LastFsyncSeconds: 0.5},
		Version: "v1",
		Removed: true,
		Membership: &nodeapi.Membership{
			Index: 5, Committed: true, Joint: true, Highest: 4,
			Members: []nodeapi.MemberInfo{
				{ID: 1, Name: "demo-1", Peer: "p:2380", Client: "c:2379", Suffrage: nodeapi.SuffrageLeaving, Incarnation: "cd", MatchIndex: 9, Heard: true},
				{ID: 4, Peer: "q:2380", Suffrage: nodeapi.SuffrageLearner},
			},
		},
	}
	_, body := serve(t, &member{status: want}, "GET", "/statusz", "")
	var got nodeapi.Status
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, key := range []string{
		"clusterID", "memberID", "incarnation", "name", "role", "term", "leaderID", "lastIndex", "commitIndex",
		"appliedIndex", "voters", "learners", "health", "fault", "remedy", "message", "at", "disk", "used", "free", "reserved", "lastFsyncSeconds", "version",
	} {
		if !strings.Contains(body, `"`+key+`"`) {
			t.Errorf("the contract's key %q is missing in %s", key, body)
		}
	}
	golden, err := os.ReadFile("testdata/membership.json")
	if err != nil {
		t.Fatal(err)
	}
	_, end, _ := strings.Cut(body, "  \"removed\"")
	if d := cmp.Diff(string(golden), "  \"removed\""+end); d != "" {
		t.Errorf("the end of the status differs from testdata/membership.json (-want +got):\n%s", d)
	}
}
