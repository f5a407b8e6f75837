package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"net/url"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

func demo() *v1alpha1.RaftCluster {
	return &v1alpha1.RaftCluster{ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "default"}}
}

// made gives what a Secret holds that somebody else made.
func made(t *testing.T, ca *Authority, change func(*x509.Certificate)) map[string][]byte {
	t.Helper()
	x := &x509.Certificate{
		Subject: pkix.Name{CommonName: "somebody"}, DNSNames: []string{"*.demo-peers.default.svc", "demo.default.svc"},
		NotAfter: epoch.Add(day), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(x)
	}
	k, der, err := sign(x, epoch, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyPEM(k)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{KeyCert: certPEM(der), KeyKey: key, KeyTrust: bundlePEM([]*x509.Certificate{ca.Cert})}
}

func uri(t *testing.T, s string) func(*x509.Certificate) {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return func(x *x509.Certificate) { x.URIs = []*url.URL{u} }
}

func authority(t *testing.T) *Authority {
	t.Helper()
	ca, err := NewAuthority("theirs", epoch, year)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Certificates of others are told by what is wrong with them, in words that go on from
// the Secret's name.
func TestProblem(t *testing.T) {
	ca, other := authority(t), authority(t)
	good := made(t, ca, nil)
	without := func(key string) map[string][]byte { d := maps.Clone(good); delete(d, key); return d }
	with := func(key string, value []byte) map[string][]byte { d := maps.Clone(good); d[key] = value; return d }
	member, clients := Member(demo(), 2), demo()
	clients.Spec.TLS.Clients.Enabled = true
	for _, c := range []struct {
		name string
		s    Subject
		data map[string][]byte
		want string
	}{
		{"good for a member", member, good, ""},
		{"good for a member whom clients call", Member(clients, 2), good, ""},
		{"good for a named member", member, made(t, ca, func(x *x509.Certificate) { uri(t, "quorate://demo.default/member/2")(x) }), ""},
		{"good for the operator", Operator(demo()), made(t, ca, uri(t, "quorate://demo.default/operator")), ""},
		{"none", member, nil, "does not exist"},
		{"empty", member, map[string][]byte{}, "lacks tls.crt, tls.key, ca.crt"},
		{"no CA", member, without(KeyTrust), "lacks ca.crt"},
		{"no key", member, without(KeyKey), "lacks tls.key"},
		{"rubbish", member, with(KeyCert, []byte("x")), "has a tls.crt and a tls.key that cannot be used: tls: failed to find any PEM data in certificate input"},
		{"a key of another", member, with(KeyKey, made(t, ca, nil)[KeyKey]), "has a tls.crt and a tls.key that cannot be used: tls: private key does not match public key"},
		{"a CA without PEM", member, with(KeyTrust, []byte("x")), "has no certificate in ca.crt"},
		{"other hosts", member, made(t, ca, func(x *x509.Certificate) { x.DNSNames = []string{"demo.default.svc"} }), "has a certificate that is not made for demo-2-0.demo-peers.default.svc"},
		{"not the client Service", Member(clients, 2), made(t, ca, func(x *x509.Certificate) { x.DNSNames = x.DNSNames[:1] }), "has a certificate that is not made for demo.default.svc"},
		{"another member", member, made(t, ca, uri(t, "quorate://demo.default/member/1")), "has a certificate with the URI quorate://demo.default/member/1, and without quorate://demo.default/member/2"},
		{"an operator without a name", Operator(demo()), good, "has a certificate without the URI quorate://demo.default/operator"},
		{"an admin in place of the operator", Operator(demo()), made(t, ca, uri(t, "quorate://demo.default/admin")), "has a certificate without the URI quorate://demo.default/operator"},
		{"another CA", member, with(KeyTrust, bundlePEM([]*x509.Certificate{other.Cert})), "has a certificate that is not taken: x509: certificate signed by unknown authority"},
		{"not for clients", member, made(t, ca, func(x *x509.Certificate) { x.ExtKeyUsage = x.ExtKeyUsage[1:] }), "has a certificate that is not taken: x509: certificate specifies an incompatible key usage"},
		{"not for servers", member, made(t, ca, func(x *x509.Certificate) { x.ExtKeyUsage = x.ExtKeyUsage[:1] }), "has a certificate that is not taken: x509: certificate specifies an incompatible key usage"},
		{"ended", member, made(t, ca, func(x *x509.Certificate) { x.NotAfter = epoch.Add(-time.Minute) }), "has a certificate that is not taken: x509: certificate has expired or is not yet valid: current time 2026-01-02T03:04:05Z is after 2026-01-02T03:03:05Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Problem(c.data, c.s, epoch); got != c.want && !(c.name == "another CA" && len(got) > len(c.want) && got[:len(c.want)] == c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What the operator makes itself passes the same examination.
func TestOwnCertificatesHaveNoProblem(t *testing.T) {
	l := newLife(t, 1)
	l.settle()
	for _, s := range append(l.members, l.others...) {
		if p := Problem(l.secrets[s.Secret], s, l.now); p != "" {
			t.Errorf("%s %s", s.Secret, p)
		}
		if end := nodeapi.ParseBundle(l.secrets[s.Secret][KeyCert])[0].NotAfter; !end.Equal(epoch.Add(l.terms.Leaf)) {
			t.Errorf("%s ends at %v", s.Secret, end)
		}
	}
}
