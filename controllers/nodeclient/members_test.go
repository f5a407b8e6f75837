package nodeclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
)

// changing is a node of which only the membership is asked.
type changing struct {
	admin.Backend
	answer *nodeapi.Membership
	err    error
	asked  nodeapi.MemberChange
}

func (c *changing) ChangeMembers(_ context.Context, r nodeapi.MemberChange) (*nodeapi.Membership, error) {
	c.asked = r
	return c.answer, c.err
}

func (c *changing) client(t *testing.T) *HTTP {
	t.Helper()
	return serve(t, admin.Handler(c, prometheus.NewRegistry()).ServeHTTP)
}

func TestChangeMembers(t *testing.T) {
	joining := nodeapi.MemberInfo{ID: 4, Name: "demo-4", Peer: "p:2380", Client: "c:2379", Incarnation: "ab"}
	n := changing{answer: &nodeapi.Membership{Index: 9, Committed: true, Highest: 4, Members: []nodeapi.MemberInfo{joining}}}
	got, err := n.client(t).ChangeMembers(t.Context(), target, nodeapi.MemberChange{Add: &joining})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(n.answer, got); diff != "" {
		t.Errorf("membership (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(nodeapi.MemberChange{ClusterID: "abc", Leader: 1, Add: &joining}, n.asked); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

// A refusal keeps its reason; what may still take effect is none.
func TestChangeMembersRefused(t *testing.T) {
	refusal := nodeapi.Refusal{Reason: nodeapi.RefusedLearnerNotCaughtUp, Message: "learner 4 lacks 7 entries"}
	for name, refused := range map[string]*admin.RefusedError{
		"by the membership": {Refusal: refusal},
		"without sense":     {Refusal: refusal, Senseless: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := changing{err: refused}
			_, err := n.client(t).ChangeMembers(t.Context(), target, nodeapi.MemberChange{Promote: 4})
			got, ok := errors.AsType[*RefusedError](err)
			if !ok || got.Reason != refusal.Reason || got.Message != refusal.Message {
				t.Errorf("error %v, want the refusal %+v", err, refusal)
			}
		})
	}
	n := changing{err: context.DeadlineExceeded}
	_, err := n.client(t).ChangeMembers(t.Context(), target, nodeapi.MemberChange{Promote: 4})
	if _, ok := errors.AsType[*RefusedError](err); ok || err == nil || !strings.Contains(err.Error(), "answered 504") {
		t.Errorf("a change with an open end gives %v", err)
	}
}

// A node without the verb, and one that says 409 in other words, refuse nothing.
func TestChangeMembersOfOtherNodes(t *testing.T) {
	old := serve(t, http.NewServeMux().ServeHTTP)
	if _, err := old.ChangeMembers(t.Context(), target, nodeapi.MemberChange{Promote: 4}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an old node gives %v", err)
	}
	strange := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusConflict) })
	_, err := strange.ChangeMembers(t.Context(), target, nodeapi.MemberChange{Promote: 4})
	if _, ok := errors.AsType[*RefusedError](err); ok || err == nil || !strings.Contains(err.Error(), "answered 409: no") {
		t.Errorf("an answer without a reason gives %v", err)
	}
}
