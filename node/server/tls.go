package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// TLSFiles names PEM files. They are read again when they change, so a rotation
// needs no restart. All empty means no TLS.
type TLSFiles struct {
	Cert, Key, CA string
}

func (t *TLSFiles) flags(f *pflag.FlagSet, prefix, who string) {
	f.StringVar(&t.Cert, prefix+"-cert-file", "", "certificate (PEM) for "+who)
	f.StringVar(&t.Key, prefix+"-key-file", "", "its private key (PEM)")
	f.StringVar(&t.CA, prefix+"-ca-file", "", "CA (PEM) that signs the other side's certificates")
}

func (t TLSFiles) enabled() bool { return t != TLSFiles{} }

func (t TLSFiles) validate(prefix string, mutual bool) error {
	if !t.enabled() {
		return nil
	}
	if t.Cert == "" || t.Key == "" || mutual && t.CA == "" {
		need := "--%[1]s-cert-file and --%[1]s-key-file"
		if mutual {
			need = "--%[1]s-cert-file, --%[1]s-key-file and --%[1]s-ca-file"
		}
		return fmt.Errorf("TLS for the %[1]s endpoint needs "+need+" together", prefix)
	}
	return nil
}

// tlsReload is how old what was read may be before the files are looked at again.
const tlsReload = time.Second

// certificates is the present content of TLSFiles.
type certificates struct {
	files TLSFiles
	now   func() time.Time

	mu      sync.Mutex
	checked time.Time
	stamp   [3]time.Time
	cert    *tls.Certificate
	pool    *x509.CertPool
}

// load reads the files once, so that a wrong one is told at the start.
func (t TLSFiles) load() (*certificates, error) {
	c := &certificates{files: t, now: time.Now}
	_, _, err := c.current()
	return c, err
}

// current gives certificate and CA pool. When the files have changed but cannot be
// read, as in the middle of a rotation, the former ones go on.
func (c *certificates) current() (*tls.Certificate, *x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.cert != nil && now.Sub(c.checked) < tlsReload {
		return c.cert, c.pool, nil
	}
	c.checked = now
	stamp := c.stamps()
	if c.cert != nil && stamp == c.stamp {
		return c.cert, c.pool, nil
	}
	cert, pool, err := c.read()
	if err != nil {
		if c.cert != nil {
			return c.cert, c.pool, nil
		}
		return nil, nil, err
	}
	c.stamp, c.cert, c.pool = stamp, cert, pool
	return cert, pool, nil
}

func (c *certificates) stamps() (s [3]time.Time) {
	for i, f := range []string{c.files.Cert, c.files.Key, c.files.CA} {
		if fi, err := os.Stat(f); err == nil {
			s[i] = fi.ModTime()
		}
	}
	return s
}

func (c *certificates) read() (*tls.Certificate, *x509.CertPool, error) {
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s with key %s: %w", c.files.Cert, c.files.Key, err)
	}
	if c.files.CA == "" {
		return &cert, nil, nil
	}
	pem, err := os.ReadFile(c.files.CA)
	if err != nil {
		return nil, nil, fmt.Errorf("CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, fmt.Errorf("CA %s holds no certificate in PEM form", c.files.CA)
	}
	return &cert, pool, nil
}

// server gives the configuration of a listener. Clients must show a certificate
// when there is a CA.
func (c *certificates) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cert, pool, err := c.current()
			if err != nil {
				return nil, err
			}
			t := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}}
			if pool != nil {
				t.ClientAuth, t.ClientCAs = tls.RequireAndVerifyClientCert, pool
			}
			return t, nil
		},
	}
}

// client gives the configuration of a dialer. Verification is done here, in place of the
// library's, because the CA may have changed since the configuration was made.
func (c *certificates) client() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it
		VerifyConnection:   c.verify,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, _, err := c.current()
			return cert, err
		},
	}
}

func (c *certificates) verify(s tls.ConnectionState) error {
	_, pool, err := c.current()
	if err != nil {
		return err
	}
	if len(s.PeerCertificates) == 0 {
		return errors.New("the other side shows no certificate")
	}
	between := x509.NewCertPool()
	for _, x := range s.PeerCertificates[1:] {
		between.AddCert(x)
	}
	_, err = s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: s.ServerName, Roots: pool, Intermediates: between})
	return err
}
