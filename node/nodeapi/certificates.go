package nodeapi

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// Serial spells the serial of a certificate as TLSFiles does.
func Serial(x *x509.Certificate) string { return x.SerialNumber.Text(16) }

// Identities gives the URIs of a certificate that say who somebody is, in whatever cluster.
func Identities(x *x509.Certificate) []string {
	var all []string
	for _, u := range x.URIs {
		if s := u.String(); strings.HasPrefix(s, uriPrefix) {
			all = append(all, s)
		}
	}
	return all
}

// ParseBundle gives the certificates of a PEM text. What cannot be read is passed over, as
// x509.CertPool does: one CA that is not understood must not cost the others.
func ParseBundle(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return all
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if x, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, x)
		}
	}
}
