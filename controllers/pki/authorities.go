package pki

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

// authorities is what the CA's Secret holds.
type authorities struct {
	signing *Authority          // nil: there is none, or its key is lost
	next    *Authority          // is trusted first and signs later; nil: none
	trusted []*x509.Certificate // all whose certificates may be shown, those two among them
	since   time.Time           // when signing began to sign; zero: after a loss
}

// parseAuthorities reads a Secret, which may be missing or damaged: what cannot be read is
// not there.
func parseAuthorities(data map[string][]byte) authorities {
	a := authorities{
		signing: parseAuthority(data[KeyCert], data[KeyKey]),
		next:    parseAuthority(data[keyNextCert], data[keyNextKey]),
	}
	for _, c := range nodeapi.ParseBundle(data[KeyTrust]) {
		a.trust(c)
	}
	for _, x := range []*Authority{a.signing, a.next} {
		if x != nil {
			a.trust(x.Cert)
		}
	}
	a.since, _ = time.Parse(time.RFC3339, string(data[keySince])) //nolint:errcheck // then it is zero
	return a
}

// data is what the Secret holds then.
func (a *authorities) data() (map[string][]byte, error) {
	d := map[string][]byte{KeyTrust: bundlePEM(a.trusted)}
	for _, x := range []struct {
		*Authority
		cert, key string
	}{{a.signing, KeyCert, KeyKey}, {a.next, keyNextCert, keyNextKey}} {
		if x.Authority == nil {
			continue
		}
		key, err := keyPEM(x.Authority.key)
		if err != nil {
			return nil, err
		}
		d[x.cert], d[x.key] = certPEM(x.Cert.Raw), key
	}
	if !a.since.IsZero() {
		d[keySince] = []byte(a.since.UTC().Format(time.RFC3339))
	}
	return d, nil
}

func (a *authorities) trust(c *x509.Certificate) {
	if !a.trusts(c) {
		a.trusted = append(a.trusted, c)
	}
}

func (a *authorities) trusts(c *x509.Certificate) bool {
	return slices.ContainsFunc(a.trusted, c.Equal)
}

// former are the CAs that do not sign any more.
func (a *authorities) former() []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range a.trusted {
		if !a.signing.is(c) && !a.next.is(c) {
			all = append(all, c)
		}
	}
	return all
}
