package nodeclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/node/nodeapi"
)

var target = Target{Host: "demo-1-0.demo-peers.ns.svc", IP: "10.0.0.1", ClusterID: "abc", MemberID: 1}

// serve runs a node's admin endpoint and gives a client that reaches it.
func serve(t *testing.T, answer http.HandlerFunc) *HTTP {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return New(func(ctx context.Context, to Target) (net.Conn, error) {
		if to != target {
			t.Errorf("dialled %+v, want %+v", to, target)
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
	})
}

func TestStatus(t *testing.T) {
	want := nodeapi.Status{ClusterID: "abc", MemberID: 1, Role: nodeapi.RoleLeader, Term: 7, Health: &nodeapi.Health{Fault: "DiskFull"}}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/statusz" || r.Host != "demo-1-0.demo-peers.ns.svc:2381" {
			t.Errorf("request %s %s of %s", r.Method, r.URL.Path, r.Host)
		}
		_ = json.NewEncoder(w).Encode(want)
	})
	got, err := c.Status(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestStatusRefused(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"of another cluster", `{"clusterID":"xyz","memberID":1}`, `member 1 of cluster "xyz" answers in place of member 1 of "abc"`},
		{"of another member", `{"clusterID":"abc","memberID":2}`, `member 2 of cluster "abc" answers in place of member 1 of "abc"`},
		{"not JSON", `<html>`, "answer is not JSON as expected"},
		{"endless", `{"clusterID":"` + strings.Repeat("x", answerLimit) + `"}`, "answer is not JSON as expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.answer) })
			_, err := c.Status(t.Context(), target)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFoundSendsTheGrant(t *testing.T) {
	var got nodeapi.FoundRequest
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/found" {
			t.Errorf("request %s %s", r.Method, r.URL.Path)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	if err := c.Found(t.Context(), target, "i1"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nodeapi.FoundRequest{ClusterID: "abc", MemberID: 1, Incarnation: "i1"}, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestAnswers(t *testing.T) {
	for code, want := range map[int]string{
		200: "", 202: "", 204: "",
		404: "does not know this request (404)", 405: "does not know this request (405)", 501: "does not know this request (501)",
		409: "answered 409: not the leader", 503: "answered 503: not the leader",
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if code == http.StatusNoContent {
				w.WriteHeader(code)
				return
			}
			http.Error(w, "not the leader", code)
		})
		err := c.Transfer(t.Context(), target)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%d: error %v, want %q", code, err, want)
		case errors.Is(err, ErrUnsupported) != (code == 404 || code == 405 || code == 501):
			t.Errorf("%d: unsupported %t", code, errors.Is(err, ErrUnsupported))
		}
	}
}

// A node that hangs ends with the caller's context.
func TestHangingNode(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.Status(ctx, target); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the context was canceled", err)
	}
}

func TestPodWithoutAddress(t *testing.T) {
	_, err := New(nil).Status(t.Context(), Target{Host: "h"})
	if err == nil || !strings.Contains(err.Error(), "the pod has no address yet") {
		t.Errorf("error %v", err)
	}
}
