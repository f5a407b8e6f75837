package server

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/protocol"
)

// tlsIdentity is the name of the cluster in the URIs of certificates.
func (c *Config) tlsIdentity() string {
	if c.TLSIdentity != "" {
		return c.TLSIdentity
	}
	return c.ClusterID
}

// verifyMember tells why a certificate, which is of a trusted CA, is not that of a member
// at an address; the address may be empty. One that names itself by a URI of nodeapi must
// name that member of this cluster. Another must at least be made for the member's host:
// it is what the same file shows as a server.
func (c *Config) verifyMember(id protocol.MemberID, address string, leaf *x509.Certificate) error {
	if named := nodeapi.Identities(leaf); len(named) > 0 {
		if want := fmt.Sprintf(nodeapi.URIMember, c.tlsIdentity(), id); !slices.Contains(named, want) {
			return fmt.Errorf("the certificate is that of %s, not of %s", strings.Join(named, " and "), want)
		}
		return nil
	}
	// Without an address nothing is known to compare with: an older member that calls for
	// the first time.
	if host, _, err := net.SplitHostPort(address); err == nil {
		if err := leaf.VerifyHostname(host); err != nil {
			return fmt.Errorf("the certificate is not that of member %d at %s: %w", id, host, err)
		}
	}
	return nil
}
