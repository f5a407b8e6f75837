package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// credential is a certificate with its key.
type credential struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a credential; without an issuer it signs itself.
func sign(t *testing.T, issuer *credential, x *x509.Certificate) *credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &credential{x, key}
	if issuer == nil {
		issuer = c
	}
	if x.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		t.Fatal(err)
	}
	x.NotBefore, x.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, x, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func newCA(t *testing.T, name string) *credential {
	t.Helper()
	return sign(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
}

// leaf makes a credential for a member at 127.0.0.1, or for a client, that is named by the URIs.
func (c *credential) leaf(t *testing.T, uris ...string) *credential {
	t.Helper()
	x := &x509.Certificate{
		Subject: pkix.Name{CommonName: "member"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		x.URIs = append(x.URIs, u)
	}
	return sign(t, c, x)
}

func (c *credential) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

func (c *credential) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// clientTLS makes the configuration of a client that trusts the CAs and shows the
// credential, whatever the server asks for; nil: none.
func clientTLS(own *credential, cas ...*credential) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	for _, ca := range cas {
		c.RootCAs.AddCert(ca.cert)
	}
	if own != nil {
		cert := &tls.Certificate{Certificate: [][]byte{own.cert.Raw}, PrivateKey: own.key}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

// httpsClient makes a new connection for each request.
func httpsClient(c *tls.Config) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: c}}
}

// secret is a directory of TLS files that is replaced as a whole, as Kubernetes does it with a
// Secret's volume: the names are links through a link, which is moved.
type secret struct {
	t        *testing.T
	dir      string
	versions int
}

func newSecret(t *testing.T) *secret {
	t.Helper()
	s := &secret{t: t, dir: t.TempDir()}
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		s.must(os.Symlink(filepath.Join("..data", name), s.path(name)))
	}
	return s
}

func (s *secret) path(name string) string { return filepath.Join(s.dir, name) }

func (s *secret) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// put replaces all: whom to trust, what to show, and the key, which may be a wrong one.
func (s *secret) put(own, key *credential, cas ...*credential) {
	s.t.Helper()
	s.versions++
	version := fmt.Sprintf("..version-%d", s.versions)
	s.must(os.Mkdir(s.path(version), 0o700))
	var bundle []byte
	for _, ca := range cas {
		bundle = append(bundle, ca.certPEM()...)
	}
	for name, content := range map[string][]byte{"tls.crt": own.certPEM(), "tls.key": key.keyPEM(s.t), "ca.crt": bundle} {
		s.must(os.WriteFile(filepath.Join(s.path(version), name), content, 0o600))
	}
	s.must(os.Symlink(version, s.path("..next")))
	s.must(os.Rename(s.path("..next"), s.path("..data")))
}

// flags are those of serve for the endpoints: peer, client or admin.
func (s *secret) flags(endpoints ...string) []string {
	var f []string
	for _, e := range endpoints {
		f = append(f, "--"+e+"-cert-file", s.path("tls.crt"), "--"+e+"-key-file", s.path("tls.key"), "--"+e+"-ca-file", s.path("ca.crt"))
	}
	return f
}
