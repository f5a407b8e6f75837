package nodeclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quorate/quorate/node/nodeapi"
)

// A node is asked by TLS where the target says so: it must show a certificate for its
// host, and is shown the operator's.
func TestStatusByTLS(t *testing.T) {
	var shown, host string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, host = "nothing", r.Host
		if len(r.TLS.PeerCertificates) > 0 {
			shown = r.TLS.PeerCertificates[0].Subject.String()
		}
		_ = json.NewEncoder(w).Encode(nodeapi.Status{ClusterID: "abc", MemberID: 1})
	}))
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}
	s.Config.ErrorLog = log.New(&strings.Builder{}, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	own := s.TLS.Certificates[0] // any will do
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	c := New(func(ctx context.Context, _ Target) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
	})
	for _, tt := range []struct {
		name, host string
		trusted    *x509.CertPool
		want       string // in the error
	}{
		{"its certificate fits", "example.com", trusted, ""}, // which is what httptest's is for
		{"it is for another host", "demo-1-0.demo-peers.ns.svc", trusted, "certificate is valid for example.com"},
		{"it is of another CA", "example.com", x509.NewCertPool(), "certificate signed by unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shown = ""
			to := Target{Host: tt.host, IP: "10.0.0.1", ClusterID: "abc", MemberID: 1, TLS: &tls.Config{
				MinVersion: tls.VersionTLS13, RootCAs: tt.trusted, Certificates: []tls.Certificate{own},
			}}
			_, err := c.Status(t.Context(), to)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || shown != "" {
					t.Errorf("error %v, want %q; the node was shown %q", err, tt.want, shown)
				}
				return
			}
			if err != nil || shown != own.Leaf.Subject.String() || host != "example.com:2381" {
				t.Errorf("error %v; the node was shown %q by %q", err, shown, host)
			}
		})
	}
}
