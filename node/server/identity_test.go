package server

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/quorate/quorate/node/nodeapi"
)

func named(t *testing.T, uris ...string) func(*x509.Certificate) {
	t.Helper()
	return func(x *x509.Certificate) {
		for _, s := range uris {
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			x.URIs = append(x.URIs, u)
		}
	}
}

// Who a certificate names decides; one that names nobody must fit the member's host.
func TestVerifyMember(t *testing.T) {
	ca := newAuthority(t, "ca")
	for _, c := range []struct {
		name, identity, address string
		uris                    []string
		want                    string // "": accepted
	}{
		{"named", "demo.default", "elsewhere:2380", []string{"quorate://demo.default/member/2"}, ""},
		{"named by the cluster's ID", "", "", []string{"quorate://c/member/2"}, ""},
		{"named among others", "demo.default", "", []string{"spiffe://x/y", "quorate://demo.default/member/2", "quorate://demo.default/client"}, ""},
		{"another member", "demo.default", "member.test:2380", []string{"quorate://demo.default/member/3"}, "that of quorate://demo.default/member/3, not of quorate://demo.default/member/2"},
		{"a longer number", "demo.default", "member.test:2380", []string{"quorate://demo.default/member/22"}, "not of quorate://demo.default/member/2"},
		{"a member of another cluster", "demo.default", "member.test:2380", []string{"quorate://demo.other/member/2"}, "not of quorate://demo.default/member/2"},
		{"the operator", "demo.default", "member.test:2380", []string{"quorate://demo.default/operator"}, "that of quorate://demo.default/operator"},
		{"a client", "demo.default", "member.test:2380", []string{"quorate://demo.default/client"}, "that of quorate://demo.default/client"},
		{"nameless at its host", "demo.default", "member.test:2380", []string{"spiffe://x/y"}, ""},
		{"nameless at its IP address", "demo.default", "127.0.0.1:2380", nil, ""},
		{"nameless at another host", "demo.default", "other.test:2380", nil, "not that of member 2 at other.test"},
		{"nameless at an unknown place", "demo.default", "", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{ClusterID: "c", TLSIdentity: c.identity}
			err := cfg.verifyMember(2, c.address, ca.leaf(t, named(t, c.uris...)).cert)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The status tells what is in use, and what is wrong with newer files.
func TestCertificatesTellTheirStatus(t *testing.T) {
	ca, next := newAuthority(t, "ca"), newAuthority(t, "next")
	first, second := ca.leaf(t, nil), next.leaf(t, nil)
	d := newTLSDir(t, ca, first)
	w := d.load()
	tells := func(what string, leaf authority, problem string, trusted ...*authority) {
		t.Helper()
		w.clock = w.clock.Add(tlsReload)
		got := w.status()
		var serials []string
		for _, a := range trusted {
			serials = append(serials, a.cert.SerialNumber.Text(16))
		}
		if got.Serial != leaf.cert.SerialNumber.Text(16) || !got.NotAfter.Equal(leaf.cert.NotAfter) || strings.Join(got.Trusted, " ") != strings.Join(serials, " ") {
			t.Errorf("%s: %+v, want serial %x and CAs %v", what, got, leaf.cert.SerialNumber, serials)
		}
		if problem == "" && got.Problem != "" || !strings.Contains(got.Problem, problem) {
			t.Errorf("%s: problem %q, want %q", what, got.Problem, problem)
		}
	}
	tells("at first", first, "", ca)
	d.write(d.files.CA, append(ca.certPEM(), next.certPEM()...))
	tells("with two CAs", first, "", ca, next)
	d.write(d.files.Cert, second.certPEM())
	tells("with half of a rotation", first, "private key does not match public key", ca, next)
	d.write(d.files.Key, second.keyPEM(t))
	d.write(d.files.CA, next.certPEM())
	tells("at last", second, "", next)
	var none *certificates
	if got := none.status(); got != (*nodeapi.TLSFiles)(nil) {
		t.Errorf("an endpoint without TLS tells %+v", got)
	}
}
