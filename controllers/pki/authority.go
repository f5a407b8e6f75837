package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

// skew is how far the clocks of members may be behind the operator's: certificates hold
// from that much earlier on.
const skew = 5 * time.Minute

// Authority is a CA that can sign.
type Authority struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a CA that signs itself and holds for that long.
func NewAuthority(name string, now time.Time, life time.Duration) (*Authority, error) {
	x := &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotAfter: now.Add(life),
	}
	key, der, err := sign(x, now, nil, func() {
		// Two CAs of a cluster must not have the same name: chains are found by it.
		x.Subject = pkix.Name{Organization: []string{"Quorate"}, CommonName: name + " CA " + nodeapi.Serial(x)[:8]}
	})
	if err != nil {
		return nil, fmt.Errorf("make a CA for %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a CA for %s: %w", name, err)
	}
	return &Authority{cert, key}, nil
}

// issue gives certificate and key for a subject as PEM. They hold for that long, but not
// longer than the CA.
func (a *Authority) issue(s Subject, now time.Time, life time.Duration) (cert, key []byte, err error) {
	x := &x509.Certificate{
		Subject:  pkix.Name{Organization: []string{"Quorate"}, CommonName: s.Name},
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:    s.Hosts, IPAddresses: s.ips(), URIs: s.uris(),
		NotAfter: now.Add(life),
	}
	if len(s.Hosts) > 0 {
		x.ExtKeyUsage = append(x.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if x.NotAfter.After(a.Cert.NotAfter) {
		x.NotAfter = a.Cert.NotAfter
	}
	k, der, err := sign(x, now, a, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate for %s: %w", s.Name, err)
	}
	if key, err = keyPEM(k); err != nil {
		return nil, nil, err
	}
	return certPEM(der), key, nil
}

// sign fills in what all certificates have and makes one; without an issuer it signs itself.
func sign(x *x509.Certificate, now time.Time, issuer *Authority, named func()) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if x.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	x.SerialNumber.SetBit(x.SerialNumber, 120, 1) // so that all have as many digits
	x.NotBefore = now.Add(-skew)
	if named != nil {
		named()
	}
	parent, signer := x, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, x, parent, key.Public(), signer)
	return key, der, err
}

// issued is when a certificate of this package was made.
func issued(x *x509.Certificate) time.Time { return x.NotBefore.Add(skew) }

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func bundlePEM(certs []*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, certPEM(c.Raw)...)
	}
	return out
}

// parsePair gives a certificate, what follows it, and its key.
func parsePair(cert, key []byte) (tls.Certificate, error) {
	if len(cert) == 0 || len(key) == 0 {
		return tls.Certificate{}, errors.New("there is none")
	}
	return tls.X509KeyPair(cert, key)
}

func parseAuthority(cert, key []byte) *Authority {
	pair, err := parsePair(cert, key)
	if err != nil || !pair.Leaf.IsCA {
		return nil
	}
	k, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil
	}
	return &Authority{pair.Leaf, k}
}

func (a *Authority) is(x *x509.Certificate) bool { return a != nil && bytes.Equal(a.Cert.Raw, x.Raw) }

// signed tells whether a certificate says that it is of this CA. The signature itself is
// not examined: this is asked of every certificate in every pass, and a Secret that somebody
// forged is found out by those to whom it is shown.
func (a *Authority) signed(x *x509.Certificate) bool {
	return a != nil && bytes.Equal(x.AuthorityKeyId, a.Cert.SubjectKeyId) && bytes.Equal(x.RawIssuer, a.Cert.RawSubject)
}
