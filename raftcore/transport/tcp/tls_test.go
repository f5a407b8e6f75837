package tcp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/transport/tcp"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func sign(t *testing.T, parent *authority, template *x509.Certificate) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issuer := authority{template, key}
	if parent != nil {
		issuer = *parent
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newAuthority(t *testing.T, name string) authority {
	return sign(t, nil, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
}

// identity is what one member has in its files; it can be replaced while it runs.
type identity struct {
	mu    sync.Mutex
	own   *tls.Certificate
	trust *x509.CertPool
	err   error
}

func (i *identity) set(t *testing.T, ca authority, change func(*x509.Certificate)) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "member"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	leaf := sign(t, &ca, template)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.own = &tls.Certificate{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}
	i.trust = x509.NewCertPool()
	i.trust.AddCert(ca.cert)
}

func (i *identity) tls() *tcp.TLS {
	config := func() (*tls.Config, error) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.err != nil {
			return nil, i.err
		}
		return &tls.Config{Certificates: []tls.Certificate{*i.own}, RootCAs: i.trust, ClientCAs: i.trust}, nil
	}
	return &tcp.TLS{Server: config, Client: config}
}

func newIdentity(t *testing.T, ca authority, change func(*x509.Certificate)) *identity {
	i := &identity{}
	i.set(t, ca, change)
	return i
}

// member starts a member with the identity; nil: without TLS.
func member(t *testing.T, id protocol.MemberID, i *identity) (tr *tcp.Transport, address string, h *sink, told <-chan *tcp.Refusal) {
	o := options(id)
	o.MaxBackoff = 50 * time.Millisecond
	if i != nil {
		o.TLS = i.tls()
	}
	told, h = refusals(&o), newSink()
	tr, address = start(t, o, h)
	return tr, address, h, told
}

func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t, "ca")
	a, _, _, _ := member(t, 1, newIdentity(t, ca, nil))
	b, address, inbox, _ := member(t, 2, newIdentity(t, ca, nil))
	a.SetPeers(map[protocol.MemberID]string{2: address})
	connect(t, a, 1, 2, inbox)
	big := protocol.Message{From: 1, To: 2, Body: &protocol.Forward{Payloads: [][]byte{make([]byte, 3<<20)}}}
	a.Send([]protocol.Message{big})
	for {
		if f, ok := next(t, inbox.messages, "a large message").Body.(*protocol.Forward); ok {
			if len(f.Payloads[0]) != 3<<20 {
				t.Errorf("it has %d bytes", len(f.Payloads[0]))
			}
			break
		}
	}
	if st := b.Stats(); st.Refused[tcp.ReasonTLS] > 0 {
		t.Errorf("%+v", st)
	}
}

func TestTLSRefusals(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	good := func() *identity { return newIdentity(t, ca, nil) }
	mixed := good() // trusts ca, shows a certificate of the stranger
	other := newIdentity(t, stranger, nil)
	mixed.own = other.own
	broken := good()
	broken.err = errors.New("open tls.crt: no such file")
	for _, c := range []struct {
		name           string
		caller, called *identity
		local          bool
		text           string
	}{
		{"the called one's authority is unknown", good(), newIdentity(t, stranger, nil), true, "certificate signed by unknown authority"},
		{"the caller's authority is unknown", mixed, good(), false, "certificate required"},
		{"the called one's certificate is for another host", good(), newIdentity(t, ca, func(c *x509.Certificate) { c.IPAddresses = nil; c.DNSNames = []string{"elsewhere"} }), true, "cannot validate certificate for 127.0.0.1"},
		{"the called one's certificate has expired", good(), newIdentity(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), true, "certificate has expired"},
		{"the caller's certificate has expired", newIdentity(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), good(), false, "expired certificate"},
		{"only the called one uses TLS", nil, good(), false, "this member takes TLS only"},
		{"only the caller uses TLS", good(), nil, true, "the other side does not speak TLS"},
		{"the caller's files cannot be read", broken, good(), true, "loading this member's certificates: open tls.crt: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, _, told := member(t, 1, c.caller)
			_, address, inbox, _ := member(t, 2, c.called)
			a.SetPeers(map[protocol.MemberID]string{2: address})
			a.Send(ping(1, 2, 1))
			r := next(t, told, "the refusal")
			if r.Reason != tcp.ReasonTLS || r.Local != c.local || !strings.Contains(r.Message, c.text) {
				t.Errorf("refused with %v", r)
			}
			if len(inbox.messages) > 0 {
				t.Error("a message got through")
			}
		})
	}
}

// TestVerify: whom a certificate belongs to is asked in both directions, with the address
// that is known, or that the hello tells.
func TestVerify(t *testing.T) {
	ca := newAuthority(t, "ca")
	type asked struct {
		id      protocol.MemberID
		address string
		leaf    string
	}
	for _, c := range []struct {
		name           string
		caller, called error // what the one that calls, and the one that is called, make of the other
		local          bool
		want           string
	}{
		{"both agree", nil, nil, false, ""},
		{"the caller does not", errors.New("that is member 7"), nil, true, "that is member 7"},
		{"the called one does not", nil, errors.New("you are member 7"), false, "you are member 7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			questions := make(chan asked, 16)
			verify := func(o *tcp.Options, answer error) {
				o.TLS = newIdentity(t, ca, func(x *x509.Certificate) { x.Subject.CommonName = fmt.Sprintf("member %d", o.Self) }).tls()
				o.TLS.Verify = func(id protocol.MemberID, address string, leaf *x509.Certificate) error {
					select {
					case questions <- asked{id, address, leaf.Subject.CommonName}:
					default:
					}
					return answer
				}
			}
			caller, called, inbox := options(1), options(2), newSink()
			caller.MaxBackoff, caller.Advertise = 50*time.Millisecond, "first.test:1"
			verify(&caller, c.caller)
			verify(&called, c.called)
			told := refusals(&caller)
			_, address := start(t, called, inbox)
			a, _ := start(t, caller, newSink())
			a.SetPeers(map[protocol.MemberID]string{2: address})
			if c.want != "" {
				a.Send(ping(1, 2, 1))
				if r := next(t, told, "the refusal"); r.Reason != tcp.ReasonTLS || r.Local != c.local || r.Message != c.want {
					t.Errorf("refused with %v", r)
				}
				if len(inbox.messages) > 0 {
					t.Error("a message got through")
				}
				return
			}
			connect(t, a, 1, 2, inbox)
			for _, want := range []asked{{2, address, "member 2"}, {1, "first.test:1", "member 1"}} {
				if got := next(t, questions, "the question"); got != want {
					t.Errorf("asked %+v, want %+v", got, want)
				}
			}
		})
	}
}

// TestCertificatesAreReplacedWithoutARestart moves both members to another authority.
func TestCertificatesAreReplacedWithoutARestart(t *testing.T) {
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	i1, i2 := newIdentity(t, before, nil), newIdentity(t, before, nil)
	a, _, _, told := member(t, 1, i1)
	_, address, inbox, _ := member(t, 2, i2)
	peers := map[protocol.MemberID]string{2: address}
	a.SetPeers(peers)
	connect(t, a, 1, 2, inbox)

	i2.set(t, after, nil)
	connect(t, a, 1, 2, inbox) // what stands stays
	a.SetPeers(nil)
	next(t, inbox.disconnected, "the end of the old connection")
	a.SetPeers(peers)
	if r := next(t, told, "the refusal of the old certificate"); r.Reason != tcp.ReasonTLS {
		t.Errorf("told %v", r)
	}
	i1.set(t, after, nil)
	connect(t, a, 1, 2, inbox)
}
