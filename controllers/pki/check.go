package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/node/nodeapi"
)

// Problem says why what a Secret holds, made by somebody else, does not serve a subject;
// empty: it does. The text goes on from the Secret's name.
func Problem(data map[string][]byte, s Subject, now time.Time) string {
	if data == nil {
		return "does not exist"
	}
	var missing []string
	for _, key := range []string{KeyCert, KeyKey, KeyTrust} {
		if len(data[key]) == 0 {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		return "lacks " + strings.Join(missing, ", ")
	}
	pair, err := parsePair(data[KeyCert], data[KeyKey])
	if err != nil {
		return fmt.Sprintf("has a %s and a %s that cannot be used: %v", KeyCert, KeyKey, err)
	}
	if len(nodeapi.ParseBundle(data[KeyTrust])) == 0 {
		return "has no certificate in " + KeyTrust
	}
	if why := s.unlike(pair.Leaf); why != "" {
		return "has a certificate " + why
	}
	return Distrust(data[KeyTrust], data, s, now)
}

// unlike says in what a certificate of somebody else does not fit a subject; empty: it
// fits. A member may go without a URI, when it is made for all hosts of the member; the
// others are known by theirs alone.
func (s Subject) unlike(x *x509.Certificate) string {
	named := nodeapi.Identities(x)
	if !slices.Contains(named, s.URI) {
		switch {
		case s.Member == 0:
			return "without the URI " + s.URI
		case len(named) > 0:
			return fmt.Sprintf("with the URI %s, and without %s", strings.Join(named, ", "), s.URI)
		}
	}
	var hosts []string
	for _, h := range s.Needs {
		if x.VerifyHostname(h) != nil {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) > 0 {
		return "that is not made for " + strings.Join(hosts, ", ")
	}
	return ""
}

// Distrust says why a bundle of CAs does not take what a Secret shows, used as the subject
// uses it; empty: it does.
func Distrust(bundle []byte, data map[string][]byte, s Subject, now time.Time) string {
	pair, err := parsePair(data[KeyCert], data[KeyKey])
	if err != nil {
		return "has no certificate"
	}
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, c := range nodeapi.ParseBundle(bundle) {
		o.Roots.AddCert(c)
	}
	for _, c := range nodeapi.ParseBundle(data[KeyCert])[1:] {
		o.Intermediates.AddCert(c)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(s.Hosts) > 0 {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	for _, u := range usages { // each of them: Verify would be content with one
		o.KeyUsages = []x509.ExtKeyUsage{u}
		if _, err := pair.Leaf.Verify(o); err != nil {
			return fmt.Sprintf("has a certificate that is not taken: %v", err)
		}
	}
	return ""
}

// ClientConfig makes a configuration for connections to members out of what the
// operator's Secret holds, at the time of the picture. The caller adds the server's name.
func ClientConfig(data map[string][]byte, now time.Time) (*tls.Config, error) {
	pair, err := parsePair(data[KeyCert], data[KeyKey])
	if err != nil {
		return nil, fmt.Errorf("the operator's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	for _, c := range nodeapi.ParseBundle(data[KeyTrust]) {
		roots.AddCert(c)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots,
		Time: func() time.Time { return now },
		// Shown whatever CAs the member names, so that a refusal tells what is wrong with it.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}, nil
}
