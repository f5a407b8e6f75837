package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificate makes one; without a parent it signs itself.
func certificate(t *testing.T, parent *authority, x *x509.Certificate) authority {
	t.Helper()
	key := newKey(t)
	issuer := authority{x, key}
	if parent != nil {
		issuer = *parent
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	x.SerialNumber, x.NotBefore = serial, time.Now().Add(-2*time.Hour)
	if x.NotAfter.IsZero() {
		x.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, x, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := certificate(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return &a
}

// leaf makes the certificate of a member called member.test, at 127.0.0.1.
func (a *authority) leaf(t *testing.T, change func(*x509.Certificate)) authority {
	t.Helper()
	x := &x509.Certificate{
		Subject: pkix.Name{CommonName: "member"}, DNSNames: []string{"member.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(x)
	}
	return certificate(t, a, x)
}

func (a authority) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a authority) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tlsDir is a directory of TLS files whose every change has a time of its own.
type tlsDir struct {
	t     *testing.T
	files TLSFiles
	clock time.Time
}

func newTLSDir(t *testing.T, ca *authority, leaf authority) *tlsDir {
	t.Helper()
	dir := t.TempDir()
	d := &tlsDir{t: t, clock: time.Unix(1_000_000, 0), files: TLSFiles{
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), CA: filepath.Join(dir, "ca.crt"),
	}}
	d.write(d.files.Cert, leaf.certPEM())
	d.write(d.files.Key, leaf.keyPEM(t))
	d.write(d.files.CA, ca.certPEM())
	return d
}

func (d *tlsDir) write(name string, content []byte) {
	d.t.Helper()
	d.clock = d.clock.Add(time.Minute)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Chtimes(name, d.clock, d.clock); err != nil {
		d.t.Fatal(err)
	}
}

// watched is what a member has of its files, with a clock and a log that the test has.
type watched struct {
	*certificates
	t     *testing.T
	clock time.Time
	log   []string
}

func (d *tlsDir) load() *watched {
	d.t.Helper()
	w := &watched{t: d.t, clock: time.Unix(0, 0)}
	log := funcr.New(func(_, line string) { w.log = append(w.log, line) }, funcr.Options{})
	c, err := d.files.load(log)
	if err != nil {
		d.t.Fatal(err)
	}
	c.now = func() time.Time { return w.clock }
	c.checked = w.clock
	w.certificates = c
	return w
}

// wants moves the clock on and says whose certificate must be in use then.
func (w *watched) wants(after time.Duration, x authority, why string) {
	w.t.Helper()
	w.clock = w.clock.Add(after)
	cert, _, err := w.current()
	if err != nil {
		w.t.Fatalf("%s: %v", why, err)
	}
	if cert.Leaf.SerialNumber.Cmp(x.cert.SerialNumber) != 0 {
		w.t.Errorf("%s: certificate %v is in use, want %v", why, cert.Leaf.SerialNumber, x.cert.SerialNumber)
	}
}

// logged says how often a line with the text must have been logged.
func (w *watched) logged(text string, times int) {
	w.t.Helper()
	n := 0
	for _, l := range w.log {
		if strings.Contains(l, text) {
			n++
		}
	}
	if n != times {
		w.t.Errorf("%q was logged %d times, want %d, in %q", text, n, times, w.log)
	}
}

// Changed files are in use after a second at the latest, and are not looked at more often.
func TestCertificatesReload(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	first, second := ca.leaf(t, nil), ca.leaf(t, nil)
	d := newTLSDir(t, ca, first)
	w := d.load()
	d.write(d.files.Cert, second.certPEM())
	d.write(d.files.Key, second.keyPEM(t))
	w.wants(tlsReload-1, first, "before a second has passed")
	w.wants(1, second, "after a second")
	w.logged("in use", 1)
	d.write(d.files.CA, other.certPEM())
	_, pool, _ := w.current()
	w.wants(tlsReload, second, "after a change of the CA alone")
	if _, changed, _ := w.current(); changed.Equal(pool) {
		t.Error("the CA has changed, but the former one is in use")
	}
	w.wants(tlsReload, second, "after no change")
	w.logged("in use", 2)
}

// A rotation whose files arrive one by one, or not whole, leaves the former
// certificate in use; the log tells it once for each state of the files.
func TestHalfWrittenRotation(t *testing.T) {
	ca := newAuthority(t, "ca")
	first, second := ca.leaf(t, nil), ca.leaf(t, nil)
	d := newTLSDir(t, ca, first)
	w := d.load()
	d.write(d.files.Cert, second.certPEM())
	for range 3 {
		w.wants(tlsReload, first, "while the key is the old one")
	}
	w.logged("the former ones go on", 1)
	d.write(d.files.Key, second.keyPEM(t)[:50])
	w.wants(tlsReload, first, "while the key is not whole")
	w.logged("the former ones go on", 2)
	d.write(d.files.Key, second.keyPEM(t))
	d.write(d.files.CA, nil)
	w.wants(tlsReload, first, "while the CA is empty")
	w.logged("holds no certificate", 1)
	if err := os.Remove(d.files.CA); err != nil {
		t.Fatal(err)
	}
	w.wants(tlsReload, first, "while there is no CA")
	d.write(d.files.CA, ca.certPEM())
	w.wants(tlsReload, second, "when all is there")
	w.logged("in use", 1)
}

// Files that cannot be used at the start are told by name.
func TestUselessTLSFiles(t *testing.T) {
	ca := newAuthority(t, "ca")
	for _, c := range []struct {
		name  string
		spoil func(*tlsDir)
		want  []string
	}{
		{"no certificate", func(d *tlsDir) { os.Remove(d.files.Cert) }, []string{"tls.crt: no such file"}}, //nolint:errcheck // load tells
		{"no key", func(d *tlsDir) { os.Remove(d.files.Key) }, []string{"tls.key: no such file"}},          //nolint:errcheck // load tells
		{"no CA", func(d *tlsDir) { os.Remove(d.files.CA) }, []string{"CA", "ca.crt: no such file"}},       //nolint:errcheck // load tells
		{
			"key of another", func(d *tlsDir) { d.write(d.files.Key, ca.leaf(t, nil).keyPEM(t)) },
			[]string{"tls.crt with key", "tls.key", "private key does not match public key"},
		},
		{"CA without PEM", func(d *tlsDir) { d.write(d.files.CA, []byte("x")) }, []string{"ca.crt holds no certificate in PEM form"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newTLSDir(t, ca, ca.leaf(t, nil))
			c.spoil(d)
			_, err := d.files.load(logr.Discard())
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("got %v, want %q in it", err, w)
				}
			}
		})
	}
}

// connect lets the two sides shake hands, and the client read a byte. It gives what
// either side got.
func connect(t *testing.T, server, client *tls.Config) (resumed bool, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() { done <- answer(t, l, server) }()
	raw, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	limit(t, raw)
	c := tls.Client(raw, client)
	clientErr = c.HandshakeContext(t.Context())
	if clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
	}
	resumed = c.ConnectionState().DidResume
	raw.Close()
	return resumed, <-done, clientErr
}

// answer takes one connection, and hangs up after the client, who so gets every alert.
func answer(t *testing.T, l net.Listener, config *tls.Config) error {
	raw, err := l.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	limit(t, raw)
	s := tls.Server(raw, config)
	if err = s.HandshakeContext(t.Context()); err == nil {
		_, err = s.Write([]byte("x"))
	}
	io.Copy(io.Discard, raw) //nolint:errcheck // it ends when the client hangs up
	return err
}

// patience is how long anything here may take on a busy machine.
const patience = 20 * time.Second

func limit(t *testing.T, c net.Conn) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Error(err)
	}
}

// A member believes in another one only with a certificate of the CA that fits the
// name or the IP address that was dialled.
func TestClientVerifies(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	dialler := newTLSDir(t, ca, ca.leaf(t, nil)).load()
	for _, c := range []struct {
		name   string
		server authority
		host   string
		want   any // the error's type, nil: none
	}{
		{"by name", ca.leaf(t, nil), "member.test", nil},
		{"by IP address", ca.leaf(t, nil), "127.0.0.1", nil},
		{"another CA", other.leaf(t, nil), "member.test", new(x509.UnknownAuthorityError)},
		{"another name", ca.leaf(t, nil), "wrong.test", new(x509.HostnameError)},
		{"another IP address", ca.leaf(t, nil), "127.0.0.2", new(x509.HostnameError)},
		{"expired", ca.leaf(t, func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Hour) }), "member.test", new(x509.CertificateInvalidError)},
		{"not for servers", ca.leaf(t, func(x *x509.Certificate) { x.ExtKeyUsage = x.ExtKeyUsage[1:] }), "member.test", new(x509.CertificateInvalidError)},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := dialler.client()
			if err != nil {
				t.Fatal(err)
			}
			config.ServerName = c.host
			_, serverErr, err := connect(t, newTLSDir(t, ca, c.server).load().server(tls.RequireAndVerifyClientCert), config)
			if c.want == nil {
				if err != nil || serverErr != nil {
					t.Errorf("refused: %v, %v", err, serverErr)
				}
			} else if err == nil || !errors.As(err, c.want) {
				t.Errorf("got %v, want %T", err, c.want)
			}
		})
	}
}

// With a CA a listener takes only certificates of that CA; without one it takes everybody.
func TestServerDemandsCertificates(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	d := newTLSDir(t, ca, ca.leaf(t, nil))
	mutual := d.load().server(tls.RequireAndVerifyClientCert)
	d.files.CA = ""
	open := d.load().server(tls.RequireAndVerifyClientCert)
	for _, c := range []struct {
		name   string
		server *tls.Config
		client *authority // who signed the client's certificate, nil: it has none
		change func(*x509.Certificate)
		want   string // in the client's error, "": none
	}{
		{"mutual", mutual, ca, nil, ""},
		{"no certificate", mutual, nil, nil, "certificate required"},
		{"another CA", mutual, other, nil, "unknown certificate authority"},
		{"expired", mutual, ca, func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Hour) }, "expired certificate"},
		{"not for clients", mutual, ca, func(x *x509.Certificate) { x.ExtKeyUsage = x.ExtKeyUsage[:1] }, "bad certificate"},
		{"open", open, nil, nil, ""},
		{"open to a certificate of another CA", open, other, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := clientOf(t, ca, c.client, c.change)
			_, serverErr, err := connect(t, c.server, config)
			if c.want == "" && (err != nil || serverErr != nil) {
				t.Errorf("refused: %v, %v", err, serverErr)
			}
			if c.want != "" && (err == nil || serverErr == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the client got %v and the server %v, want %q", err, serverErr, c.want)
			}
		})
	}
}

// clientOf makes the configuration of a client that trusts the CA.
func clientOf(t *testing.T, ca, signer *authority, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	config := &tls.Config{RootCAs: roots, ServerName: "member.test"}
	if signer != nil {
		x := signer.leaf(t, change)
		cert := tls.Certificate{Certificate: [][]byte{x.cert.Raw}, PrivateKey: x.key}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return config
}

// A listener uses changed files for the next connection. A client that was known before
// cannot come back by its session when its CA is not trusted any more.
func TestServerRotates(t *testing.T) {
	ca, next := newAuthority(t, "ca"), newAuthority(t, "next")
	d := newTLSDir(t, ca, ca.leaf(t, nil))
	w := d.load()
	server := w.server(tls.RequireAndVerifyClientCert)
	client := clientOf(t, ca, ca, nil)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 2 {
		if resumed, _, err := connect(t, server, client); err != nil || resumed != (i > 0) {
			t.Fatalf("connection %d: resumed %t, %v", i, resumed, err)
		}
	}
	d.write(d.files.CA, next.certPEM())
	w.clock = w.clock.Add(tlsReload)
	if _, _, err := connect(t, server, client); err == nil {
		t.Error("a client of the former CA was taken")
	}
	if _, _, err := connect(t, server, clientOf(t, ca, next, nil)); err != nil {
		t.Errorf("a client of the new CA was refused: %v", err)
	}
}
