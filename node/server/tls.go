package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"

	"github.com/quorate/quorate/node/nodeapi"
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
	log   logr.Logger

	mu      sync.Mutex
	checked time.Time
	stamp   stamp  // of what is in use
	refused stamp  // of what was last complained about
	problem string // why the files that are there are not in use
	content content
}

// content is what files hold that can be used.
type content struct {
	cert    *tls.Certificate
	pool    *x509.CertPool // nil: no CA file
	trusted []string       // serials of what is in the pool
}

// stamp tells versions of the files apart.
type stamp [3]time.Time

// load reads the files once, so that a wrong one is told at the start.
func (t TLSFiles) load(log logr.Logger) (*certificates, error) {
	c := &certificates{files: t, now: time.Now, log: log}
	_, _, err := c.current()
	return c, err
}

// current gives certificate and CA pool. When the files have changed but cannot be
// used, as in the middle of a rotation, the former ones go on, and the log says so.
func (c *certificates) current() (*tls.Certificate, *x509.CertPool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.look(); err != nil {
		return nil, nil, err
	}
	return c.content.cert, c.content.pool, nil
}

// look reads the files when that is due; an error means that there is nothing to use.
func (c *certificates) look() error {
	if now := c.now(); c.content.cert == nil || now.Sub(c.checked) >= tlsReload {
		c.checked = now
		if err := c.refresh(); err != nil && c.content.cert == nil {
			return err
		}
	}
	return nil
}

// status tells what is in use, nil when nothing is. It looks at the files like a connection does.
func (c *certificates) status() *nodeapi.TLSFiles {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.look() != nil {
		return nil
	}
	leaf := c.content.cert.Leaf
	return &nodeapi.TLSFiles{Serial: nodeapi.Serial(leaf), NotAfter: leaf.NotAfter, Trusted: c.content.trusted, Problem: c.problem}
}

// refresh reads the files when they have changed. The stamp is taken first: what
// changes while it reads is read again.
func (c *certificates) refresh() error {
	stamp := c.stamps()
	had := c.content.cert != nil
	if had && stamp == c.stamp {
		c.problem = ""
		return nil
	}
	read, err := c.read()
	if err != nil {
		c.problem = err.Error()
		if had && stamp != c.refused {
			c.refused = stamp
			c.log.Error(err, "TLS files have changed but cannot be used: the former ones go on", "certificate", c.files.Cert)
		}
		return err
	}
	if had {
		c.log.Info("TLS files have changed and are in use", "certificate", c.files.Cert, "serial", nodeapi.Serial(read.cert.Leaf), "until", read.cert.Leaf.NotAfter)
	}
	c.stamp, c.content, c.problem = stamp, read, ""
	return nil
}

func (c *certificates) stamps() (s stamp) {
	for i, f := range []string{c.files.Cert, c.files.Key, c.files.CA} {
		if fi, err := os.Stat(f); err == nil {
			s[i] = fi.ModTime()
		}
	}
	return s
}

func (c *certificates) read() (content, error) {
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return content{}, fmt.Errorf("certificate %s with key %s: %w", c.files.Cert, c.files.Key, err)
	}
	out := content{cert: &cert, trusted: []string{}}
	if c.files.CA == "" {
		return out, nil
	}
	text, err := os.ReadFile(c.files.CA)
	if err != nil {
		return content{}, fmt.Errorf("CA: %w", err)
	}
	out.pool = x509.NewCertPool()
	for _, ca := range nodeapi.ParseBundle(text) {
		out.pool.AddCert(ca)
		out.trusted = append(out.trusted, nodeapi.Serial(ca))
	}
	if len(out.trusted) == 0 {
		return content{}, fmt.Errorf("CA %s holds no certificate in PEM form", c.files.CA)
	}
	return out, nil
}

// server gives the configuration of a listener. When there is a CA, what clients show
// is verified against it, and demand says whether they must show anything.
func (c *certificates) server(demand tls.ClientAuthType) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cert, pool, err := c.current()
			if err != nil {
				return nil, err
			}
			t := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}}
			if pool != nil {
				t.ClientAuth, t.ClientCAs = demand, pool
			}
			return t, nil
		},
	}
}

// client gives the configuration of one connection to another member.
func (c *certificates) client() (*tls.Config, error) {
	cert, pool, err := c.current()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool,
		// Shown whatever CAs the other side names, so that a refusal tells what is wrong with it.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil },
	}, nil
}
