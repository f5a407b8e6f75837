//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is long enough for a cluster that is kept for a year.
const validity = 365 * 24 * time.Hour

// pki writes keys, certificates and kubeconfigs into one directory. It keeps the first error.
type pki struct {
	dir string
	err error
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// makePKI fills dir, all or nothing: the CAs, the API server's certificates, a kubeconfig for
// each user, and a serving certificate for each node that the cluster may ever have.
// server is the URL in the kubeconfigs of components.
func makePKI(dir, server string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return err
	}
	p := &pki{dir: tmp}
	ca := p.authority("ca")
	p.apiServer(ca, p.authority("front-proxy-ca"))
	for user, groups := range map[string][]string{
		"admin":                   {"system:masters"},
		"kube-controller-manager": nil,
		"kube-scheduler":          nil,
		"kube-proxy":              nil,
	} {
		name := "system:" + user
		if user == "admin" {
			name = "devcluster-admin"
		}
		p.kubeconfig(user, server, ca, subject(name, groups...))
	}
	for i := range maxNodes {
		p.node(i, server, ca)
	}
	p.serviceAccountKey()
	if p.err != nil {
		return fmt.Errorf("making certificates in %s: %w", dir, p.err)
	}
	return os.Rename(tmp, dir)
}

func subject(name string, groups ...string) pkix.Name {
	return pkix.Name{CommonName: name, Organization: groups}
}

func (p *pki) apiServer(ca, frontProxy authority) {
	p.leaf("apiserver", ca, &x509.Certificate{
		Subject:     subject("kube-apiserver"),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(nodeIP(0)), net.ParseIP(apiServiceIP)},
	})
	p.client("apiserver-kubelet-client", ca, subject("kube-apiserver-kubelet-client", "system:masters"))
	p.client("front-proxy-client", frontProxy, subject("front-proxy-client"))
}

func (p *pki) node(i int, server string, ca authority) {
	name := nodeName(i)
	p.leaf("serving-"+name, ca, &x509.Certificate{
		Subject:     subject(name),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{name},
		IPAddresses: []net.IP{net.ParseIP(nodeIP(i))},
	})
	p.kubeconfig("kubelet-"+name, server, ca, subject("system:node:"+name, "system:nodes"))
}

func (p *pki) authority(name string) authority {
	key, _ := p.key(name)
	if p.err != nil {
		return authority{}
	}
	t := &x509.Certificate{
		Subject: subject(name), IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	certPEM, der := p.sign(name, t, t, &key.PublicKey, key)
	cert, err := x509.ParseCertificate(der)
	p.keep(err)
	return authority{cert: cert, key: key, pem: certPEM}
}

func (p *pki) client(file string, ca authority, who pkix.Name) (certPEM, keyPEM []byte) {
	return p.leaf(file, ca, &x509.Certificate{Subject: who, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (p *pki) leaf(file string, ca authority, t *x509.Certificate) (certPEM, keyPEM []byte) {
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	key, keyPEM := p.key(file)
	if p.err != nil {
		return nil, nil
	}
	certPEM, _ = p.sign(file, t, ca.cert, &key.PublicKey, ca.key)
	return certPEM, keyPEM
}

func (p *pki) sign(file string, t, parent *x509.Certificate, public *ecdsa.PublicKey, by *ecdsa.PrivateKey) (certPEM, der []byte) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	p.keep(err)
	t.SerialNumber, t.BasicConstraintsValid = serial, true
	t.NotBefore, t.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(validity)
	der, err = x509.CreateCertificate(rand.Reader, t, parent, public, by)
	p.keep(err)
	return p.write(file+".crt", "CERTIFICATE", der), der
}

func (p *pki) key(file string) (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if p.keep(err); p.err != nil {
		return nil, nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	p.keep(err)
	return key, p.write(file+".key", "PRIVATE KEY", der)
}

func (p *pki) serviceAccountKey() {
	key, _ := p.key("sa")
	if p.err != nil {
		return
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	p.keep(err)
	p.write("sa.pub", "PUBLIC KEY", der)
}

func (p *pki) kubeconfig(file, server string, ca authority, who pkix.Name) {
	cert, key := p.client(file, ca, who)
	b64 := base64.StdEncoding.EncodeToString
	content := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: devcluster
clusters: [{name: devcluster, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: user, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: devcluster, context: {cluster: devcluster, user: user}}]
`, server, b64(ca.pem), b64(cert), b64(key))
	p.keep(os.WriteFile(filepath.Join(p.dir, file+".kubeconfig"), []byte(content), 0o600))
}

func (p *pki) write(file, kind string, der []byte) []byte {
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	p.keep(os.WriteFile(filepath.Join(p.dir, file), b, 0o600))
	return b
}

func (p *pki) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}
