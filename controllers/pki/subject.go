package pki

import (
	"fmt"
	"net"
	"net/url"

	v1alpha1 "github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/node/nodeapi"
)

// Keys of the Secrets. The first three are those of every Secret with a certificate, the
// others of the CA's alone.
const (
	KeyCert  = "tls.crt"
	KeyKey   = "tls.key"
	KeyTrust = "ca.crt" // all that are trusted, PEM

	keyNextCert = "next.crt"      // of a CA that does not sign yet
	keyNextKey  = "next.key"      //
	keySince    = "signing-since" // RFC 3339: since when tls.crt signs
)

// Subject is whom a certificate belongs to.
type Subject struct {
	Name   string   // common name
	Secret string   // name of the Secret that holds it
	Member int64    // its ID; 0: no member
	URI    string   // who it is, one of nodeapi's
	Hosts  []string // DNS names under which it is reached; none: it is a client only
	Needs  []string // those of them without which it does not work
}

// Member is a member of the group. It is both sides of its connections with others.
func Member(c *v1alpha1.RaftCluster, id int64) Subject {
	host := c.Host(id)
	s := Subject{
		Name: c.MemberName(id), Secret: c.MemberTLSName(id), Member: id,
		URI:   fmt.Sprintf(nodeapi.URIMember, c.TLSIdentity(), id),
		Hosts: []string{host, c.PodName(id) + "." + c.PeersName(), host + ".cluster.local"},
		Needs: []string{host},
	}
	service := c.Name + "." + c.Namespace + ".svc"
	s.Hosts = append(s.Hosts, c.Name, c.Name+"."+c.Namespace, service, service+".cluster.local", "localhost")
	if c.Spec.TLS.Clients.Enabled {
		s.Needs = append(s.Needs, service)
	}
	return s
}

// Operator is the operator towards this cluster.
func Operator(c *v1alpha1.RaftCluster) Subject {
	return Subject{Name: c.Name + "-operator", Secret: c.OperatorTLSName(), URI: fmt.Sprintf(nodeapi.URIOperator, c.TLSIdentity())}
}

// Admin is a person with kubectl.
func Admin(c *v1alpha1.RaftCluster) Subject {
	return Subject{Name: c.Name + "-admin", Secret: c.AdminTLSName(), URI: fmt.Sprintf(nodeapi.URIAdmin, c.TLSIdentity())}
}

// Client is whoever uses the store.
func Client(c *v1alpha1.RaftCluster) Subject {
	return Subject{Name: c.Name + "-client", Secret: c.ClientTLSName(), URI: fmt.Sprintf(nodeapi.URIClient, c.TLSIdentity())}
}

// loopback is where a port-forward leads.
var loopback = []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}

func (s Subject) ips() []net.IP {
	if len(s.Hosts) == 0 {
		return nil
	}
	return loopback
}

func (s Subject) uris() []*url.URL {
	u, err := url.Parse(s.URI)
	if err != nil {
		panic(fmt.Sprintf("pki: the URI %q of %s: %v", s.URI, s.Name, err)) // it is made of names that Kubernetes accepted
	}
	return []*url.URL{u}
}
