//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Wrong wishes are refused by the API server, with what is wrong.
func TestBadWishes(t *testing.T) {
	c := newCluster(namespace(t), "bad")
	apply(t, c)
	for _, w := range []struct {
		name, patch, want string
	}{
		{"smaller storage", `{"spec":{"storage":{"size":"512Mi"}}}`, "storage.size"},
		{"half a member", `{"spec":{"replicas":2.5}}`, "replicas"},
		{"no member", `{"spec":{"replicas":0}}`, "replicas"},
		{"too many members", `{"spec":{"replicas":11}}`, "replicas"},
		{"slow heartbeats", `{"spec":{"raft":{"heartbeatInterval":"2s"}}}`, "heartbeatInterval"},
		{"unknown policy", `{"spec":{"storage":{"whenDeleted":"Shred"}}}`, "whenDeleted"},
	} {
		t.Run(w.name, func(t *testing.T) {
			err := kube.Patch(t.Context(), c.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(w.patch)))
			if err == nil {
				t.Fatalf("%s was taken", w.patch)
			}
			if got := err.Error(); !strings.Contains(got, w.want) {
				t.Errorf("the refusal %q does not name %s", got, w.want)
			}
			t.Log(err)
		})
	}
}
