//go:build e2e

package e2e

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quorate/quorate/node/nodeapi"
)

// Whoever has no certificate may ask whether a member lives, and nothing else.
func TestAdminRefusesStrangers(t *testing.T) {
	c := newCluster(namespace(t), "admin")
	apply(t, c)
	p := pods(t, c)["1"]
	for _, w := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, nodeapi.PathReadyz, http.StatusOK},
		{http.MethodGet, nodeapi.PathStatusz, http.StatusForbidden},
		{http.MethodPost, nodeapi.PathTransfer, http.StatusForbidden},
		{http.MethodPost, nodeapi.PathMembers, http.StatusForbidden},
		{http.MethodDelete, nodeapi.PathFaults, http.StatusForbidden},
	} {
		if got := askAdmin(t, p, w.method, w.path); got != w.want {
			t.Errorf("%s %s without a certificate is answered %d, want %d", w.method, w.path, got, w.want)
		}
	}
}

// askAdmin asks a pod's admin endpoint as somebody without a certificate.
func askAdmin(t *testing.T, p corev1.Pod, method, path string) (code int) {
	t.Helper()
	stranger := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, //nolint:gosec // it is about who asks
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+forwardPort(t, p, nodeapi.AdminPort).endpoint()+path, nil)
	must(t, err)
	r, err := stranger.Do(req)
	must(t, err)
	r.Body.Close()
	return r.StatusCode
}
