//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/quorate/quorate/node/nodeapi"
)

// authority is a CA that is not the operator's.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64 // serial that it gave
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	x := a.template("theirs")
	x.IsCA, x.BasicConstraintsValid, x.KeyUsage = true, true, x509.KeyUsageCertSign
	var der []byte
	a.key, der = a.sign(t, x)
	var err error
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	return a
}

// issue gives what a Secret holds: a new certificate for servers and clients, for those
// hosts and with that URI, if there is one.
func (a *authority) issue(t *testing.T, uri string, hosts ...string) map[string][]byte {
	t.Helper()
	x := a.template("somebody")
	x.KeyUsage, x.DNSNames = x509.KeyUsageDigitalSignature, hosts
	if slices.Contains(hosts, "localhost") { // where a port-forward leads
		x.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	if uri != "" {
		u, err := url.Parse(uri)
		must(t, err)
		x.URIs = []*url.URL{u}
	}
	key, der := a.sign(t, x)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		"ca.crt":                pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
	}
}

func (a *authority) template(name string) *x509.Certificate {
	a.last++
	return &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

// sign makes a key and signs its certificate; the first one is the authority's own.
func (a *authority) sign(t *testing.T, x *x509.Certificate) (key *ecdsa.PrivateKey, der []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	parent, signer := x, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err = x509.CreateCertificate(rand.Reader, x, parent, key.Public(), signer)
	must(t, err)
	return key, der
}

// secureBy gives what somebody needs who speaks TLS with what a Secret holds, to that server.
func secureBy(data map[string][]byte, server string) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(data["ca.crt"])
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: server, MinVersion: tls.VersionTLS13}, nil
}

// serialIn gives the serial of a Secret's certificate as nodes tell it.
func serialIn(t *testing.T, data map[string][]byte) string {
	t.Helper()
	pair, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	must(t, err)
	return nodeapi.Serial(pair.Leaf)
}

// askTLS asks a member, by the certificate that a Secret holds, which ones it uses itself.
func askTLS(ctx context.Context, f *forward, data map[string][]byte, host string) (*nodeapi.TLS, error) {
	secure, err := secureBy(data, host)
	if err != nil {
		return nil, err
	}
	cl := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+f.endpoint()+nodeapi.PathStatusz, nil)
	if err != nil {
		return nil, err
	}
	r, err := cl.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	var s nodeapi.Status
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		return nil, fmt.Errorf("%s answers %s: %w", host, r.Status, err)
	}
	if s.TLS == nil {
		return nil, fmt.Errorf("%s tells of no certificates", host)
	}
	return s.TLS, nil
}
