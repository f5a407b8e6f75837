package admin_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/quorate/quorate/node/admin"
	"github.com/quorate/quorate/node/nodeapi"
)

// shows gives the state of a connection whose client has shown a verified certificate
// with that URI; "": with none.
func shows(t *testing.T, uri string) *tls.ConnectionState {
	t.Helper()
	leaf := &x509.Certificate{}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		leaf.URIs = []*url.URL{u}
	}
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf}}}
}

// Of every path that there is, nobody but the operator and admins gets more than the
// open ones.
func TestGuard(t *testing.T) {
	paths := []string{
		"GET /livez", "GET /readyz", "GET /metrics", "GET /statusz", "GET /faults", "DELETE /faults", "POST /transfer", "POST /found",
		"POST /members", "GET /debug/pprof/", "GET /debug/pprof/cmdline", "GET /debug/pprof/heap", "GET /nothing", "POST /metrics", "GET /metrics/",
	}
	unverified := shows(t, "quorate://demo.default/operator")
	unverified.VerifiedChains = nil
	for _, c := range []struct {
		name  string
		state *tls.ConnectionState
		all   bool
	}{
		{"the operator", shows(t, "quorate://demo.default/operator"), true},
		{"an admin", shows(t, "quorate://demo.default/admin"), true},
		{"no TLS", nil, false},
		{"no certificate", &tls.ConnectionState{}, false},
		{"a certificate that was not verified", unverified, false},
		{"a certificate without a name", shows(t, ""), false},
		{"a member", shows(t, "quorate://demo.default/member/1"), false},
		{"a client", shows(t, "quorate://demo.default/client"), false},
		{"the operator of another cluster", shows(t, "quorate://demo.other/operator"), false},
		{"a longer word", shows(t, "quorate://demo.default/operators"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			h := admin.Guard(reached, "demo.default")
			for i, p := range paths {
				method, path, _ := strings.Cut(p, " ")
				r := httptest.NewRequest(method, path, nil)
				r.TLS = c.state
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				want := http.StatusForbidden
				if c.all || i < len(nodeapi.OpenPaths) {
					want = http.StatusTeapot
				}
				if w.Code != want {
					t.Errorf("%s: %d %s, want %d", p, w.Code, w.Body, want)
				}
			}
		})
	}
}
