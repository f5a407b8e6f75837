package tcp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quorate/quorate/raftcore/protocol"
)

// Reason says why one member refuses the connection of another. The values are sent:
// they never change.
type Reason uint8

// The reasons.
const (
	ReasonWireVersion Reason = 1 // the other side speaks another version of this protocol
	ReasonCluster     Reason = 2 // the other side belongs to another cluster
	ReasonMember      Reason = 3 // the address leads to a member other than the one meant
	ReasonSerializer  Reason = 4 // the other side encodes messages in another way
	ReasonTLS         Reason = 5 // certificates do not fit, or only one side uses TLS
	ReasonMessage     Reason = 6 // a message cannot be read: damaged, or of a newer version
)

// Reasons gives every reason.
func Reasons() []Reason {
	return []Reason{ReasonWireVersion, ReasonCluster, ReasonMember, ReasonSerializer, ReasonTLS, ReasonMessage}
}

// String gives the reason's name, as metrics and logs use it.
func (r Reason) String() string {
	switch r {
	case ReasonWireVersion:
		return "WireVersion"
	case ReasonCluster:
		return "Cluster"
	case ReasonMember:
		return "Member"
	case ReasonSerializer:
		return "Serializer"
	case ReasonTLS:
		return "TLS"
	case ReasonMessage:
		return "Message"
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Refusal tells why this member and another one do not connect, although they reach
// each other.
type Refusal struct {
	Member  protocol.MemberID // the member that was called
	Address string
	Reason  Reason
	Local   bool   // it was this member that did not like the other one
	Message string // the words of the one that refused
}

// Error implements error.
func (r *Refusal) Error() string {
	says := ""
	if !r.Local {
		says = "it says: "
	}
	return fmt.Sprintf("no connection with member %d at %s (%v): %s%s", r.Member, r.Address, r.Reason, says, r.Message)
}

// refuse makes a Refusal whose member and address the caller fills in.
func refuse(r Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// refusalOfTLS gives a Refusal when the error is one of certificates or of TLS itself
// rather than of the network. With TLS 1.3 the client learns from its first read that
// the server did not like its certificate.
func refusalOfTLS(err error) *Refusal {
	var (
		remote   *net.OpError
		record   tls.RecordHeaderError
		verify   *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		settings *configError
	)
	switch {
	case errors.As(err, &record):
		return local(refuse(ReasonTLS, "the other side does not speak TLS: %s", record.Msg))
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert of the other side
		return refuse(ReasonTLS, "%v", remote)
	case errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &settings):
		return local(refuse(ReasonTLS, "%v", err))
	}
	return nil
}

func local(r *Refusal) *Refusal {
	r.Local = true
	return r
}

// configError tells that TLS's functions failed: this member's own fault.
type configError struct{ err error }

func (e *configError) Error() string { return "loading this member's certificates: " + e.err.Error() }
func (e *configError) Unwrap() error { return e.err }

// dismiss tells the other side why it is not wanted; when that fails, it stays
// without an answer.
func dismiss(conn net.Conn, r *Refusal) {
	b := beginFrame(nil)
	b = append(b, byte(r.Reason))
	b = appendName(b, r.Message)
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	if _, err := conn.Write(endFrame(b, 0, frameRefusal)); err == nil {
		linger(conn)
	}
}

// linger waits a little for the other side to hang up: closing while there are bytes
// that nobody read makes the kernel reset the connection, and what was said last may be
// lost with it.
func linger(conn net.Conn) {
	if conn.SetDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, conn, 1<<20)
}

func parseRefusal(body []byte) (*Refusal, error) {
	c := cursor{b: body}
	r := &Refusal{Reason: Reason(c.uint(1)), Message: c.name()}
	if c.bad {
		return nil, errors.New("the refusal cannot be read")
	}
	return r, nil
}
