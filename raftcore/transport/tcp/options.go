package tcp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-logr/logr"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Options is what a Transport is made of. Fields without a default must be set.
type Options struct {
	Self        protocol.MemberID
	ClusterID   string               // members of other clusters are refused
	Incarnation protocol.Incarnation // of this member's volume
	Serializer  codec.Serializer     // must make bytes

	Listener   net.Listener // taken over, closed by Close; or else:
	ListenAddr string       // host:port

	// Advertise is where the others reach this member, host:port. A member that knows nobody
	// yet answers there when this one calls. Default: not told.
	Advertise string

	TLS       *TLS                                                        // default: plain TCP
	OnRefused func(protocol.MemberID, *Refusal)                           // called once for each new refusal; must not block
	Dial      func(ctx context.Context, address string) (net.Conn, error) // default: TCP
	Logger    logr.Logger

	MaxFrameBytes     int           // of one encoded message; default 64 MiB
	MaxQueuedMessages int           // for each peer; default 4096
	MaxQueuedBytes    int           // for each peer, payloads only; default 64 MiB
	DialTimeout       time.Duration // default 2 s
	HandshakeTimeout  time.Duration // TLS included; default 5 s
	MinBackoff        time.Duration // between two dials; default 20 ms
	MaxBackoff        time.Duration // default 1 s; five times as long after a refusal
	DeadAfter         time.Duration // a peer's kernel that answers nothing for so long; default 5 s
}

// TLS gives the configurations of connections. The functions are called for each
// connection, so that certificates can be replaced without a restart; when they fail,
// so does that one connection.
type TLS struct {
	// Server is for incoming connections. A certificate of the client is always
	// demanded and verified against ClientCAs.
	Server func() (*tls.Config, error)
	// Client is for outgoing ones. ServerName, when empty, becomes the host that is
	// dialled.
	Client func() (*tls.Config, error)
	// Verify tells why a certificate, verified already, is not that of the member at that
	// address; the address is empty when nobody has told it. nil: every certificate that
	// is verified will do. It is called in both directions.
	Verify func(member protocol.MemberID, address string, leaf *x509.Certificate) error
}

// verify gives the reason why what the other side has shown is not the member's.
func (t *TLS) verify(conn net.Conn, member protocol.MemberID, address string) *Refusal {
	c, ok := conn.(*tls.Conn)
	if t == nil || t.Verify == nil || !ok {
		return nil
	}
	if err := t.Verify(member, address, c.ConnectionState().PeerCertificates[0]); err != nil {
		return refuse(ReasonTLS, "%v", err)
	}
	return nil
}

func (o *Options) setDefaults() {
	def(&o.MaxFrameBytes, 64<<20)
	def(&o.MaxQueuedMessages, 4096)
	def(&o.MaxQueuedBytes, 64<<20)
	def(&o.DialTimeout, 2*time.Second)
	def(&o.HandshakeTimeout, 5*time.Second)
	def(&o.MinBackoff, 20*time.Millisecond)
	def(&o.MaxBackoff, time.Second)
	def(&o.DeadAfter, 5*time.Second)
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (o *Options) validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(o.Self != 0, "Self is 0, which is no member")
	need(o.ClusterID != "" && len(o.ClusterID) <= maxName, "ClusterID has %d bytes, must have 1 to %d", len(o.ClusterID), maxName)
	need(len(o.Advertise) <= maxName, "Advertise has %d bytes, must have at most %d", len(o.Advertise), maxName)
	need(o.Listener != nil || o.ListenAddr != "", "neither Listener nor ListenAddr is set")
	need(o.TLS == nil || o.TLS.Server != nil && o.TLS.Client != nil, "TLS needs both Server and Client")
	need(o.MaxFrameBytes > 0 && o.MaxFrameBytes <= 1<<30, "MaxFrameBytes is %d, must be 1 to %d", o.MaxFrameBytes, 1<<30)
	switch {
	case o.Serializer == nil:
		need(false, "Serializer is not set")
	case !o.Serializer.Binary():
		need(false, "the serializer %q makes no bytes, so it cannot serve a socket", o.Serializer.Name())
	case len(o.Serializer.Name()) > maxName:
		need(false, "the serializer's name has %d bytes, must have at most %d", len(o.Serializer.Name()), maxName)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("options of the TCP transport: %w", err)
	}
	return nil
}
