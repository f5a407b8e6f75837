package tcp

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/quorate/quorate/raftcore/codec"
	"github.com/quorate/quorate/raftcore/protocol"
)

// wireVersion is the version of frames and handshake. What can be added without an older
// member misreading it does not change it.
const wireVersion = 1

// hello is what the side that dialled says first.
type hello struct {
	version     uint16
	from, to    protocol.MemberID
	incarnation protocol.Incarnation
	cluster     string
	serializer  string
	address     string // where the others reach it; empty when it does not tell
	reads       uint16 // the newest version of messages that it reads; 0: it is older and does not tell
}

func (o *Options) hello(to protocol.MemberID) hello {
	return hello{
		version: wireVersion, from: o.Self, to: to, incarnation: o.Incarnation,
		cluster: o.ClusterID, serializer: o.Serializer.Name(), address: o.Advertise,
		reads: o.reads(),
	}
}

// reads gives the newest version of messages that this member reads.
func (o *Options) reads() uint16 {
	if v, ok := o.Serializer.(codec.Versioned); ok {
		return v.NewestMessage()
	}
	return 1
}

func (h hello) frame() []byte {
	b := beginFrame(nil)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = binary.BigEndian.AppendUint64(b, uint64(h.from))
	b = binary.BigEndian.AppendUint64(b, uint64(h.to))
	b = binary.BigEndian.AppendUint64(b, uint64(h.incarnation))
	b = appendName(b, h.cluster)
	b = appendName(b, h.serializer)
	b = appendName(b, h.address)
	b = binary.BigEndian.AppendUint16(b, h.reads)
	return endFrame(b, 0, frameHello)
}

func parseHello(body []byte) (hello, error) {
	c := cursor{b: body}
	h := hello{
		version:     uint16(c.uint(2)),
		from:        protocol.MemberID(c.uint(8)),
		to:          protocol.MemberID(c.uint(8)),
		incarnation: protocol.Incarnation(c.uint(8)),
		cluster:     c.name(),
		serializer:  c.name(),
	}
	if len(c.b) > 0 { // older members end here
		h.address = c.name()
	}
	if len(c.b) > 0 {
		h.reads = uint16(c.uint(2))
	}
	// Another version may look different behind its number; that is then what is wrong.
	if c.bad && h.version == wireVersion {
		return hello{}, fmt.Errorf("a hello of %d bytes ends too early", len(body))
	}
	if n := max(len(h.cluster), len(h.serializer), len(h.address)); n > maxName && h.version == wireVersion {
		return hello{}, fmt.Errorf("a hello has a name of %d bytes, at most %d can be", n, maxName)
	}
	return h, nil
}

// judge gives the reason why the hello is refused, or nil.
func (o *Options) judge(h hello) *Refusal {
	switch {
	case h.version != wireVersion:
		return refuse(ReasonWireVersion, "you speak wire version %d; this member speaks %d", h.version, wireVersion)
	case h.cluster != o.ClusterID:
		return refuse(ReasonCluster, "you belong to cluster %q; this member belongs to %q", h.cluster, o.ClusterID)
	case h.to != o.Self:
		return refuse(ReasonMember, "you mean member %d; this is member %d: check the peers' addresses", h.to, o.Self)
	case h.from == o.Self || h.from == 0:
		return refuse(ReasonMember, "you say that you are member %d; this is member %d: every member needs an ID of its own", h.from, o.Self)
	case h.serializer != o.Serializer.Name():
		return refuse(ReasonSerializer, "you encode messages as %q; this member reads %q", h.serializer, o.Serializer.Name())
	}
	return nil
}

// introduce is the handshake of the side that dialled. It gives the newest version of
// messages that the other side reads. A *Refusal tells that it does not want this member.
func introduce(conn net.Conn, h hello) (reads uint16, err error) {
	if _, err := conn.Write(h.frame()); err != nil {
		return 0, fmt.Errorf("sending the hello: %w", err)
	}
	typ, body, err := readControl(conn)
	if err != nil {
		return 0, fmt.Errorf("waiting for the answer to the hello: %w", err)
	}
	switch typ {
	case frameWelcome:
		return parseWelcome(body), nil
	case frameRefusal:
		r, err := parseRefusal(body)
		if err != nil {
			return 0, err
		}
		return 0, r
	}
	return 0, fmt.Errorf("the answer to the hello is a frame of type %d", typ)
}

// welcomeFrame is the answer to a hello that was judged good.
func (o *Options) welcomeFrame() []byte {
	b := binary.BigEndian.AppendUint16(beginFrame(nil), wireVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(o.Incarnation))
	b = binary.BigEndian.AppendUint16(b, o.reads())
	return endFrame(b, 0, frameWelcome)
}

// parseWelcome gives the newest version of messages that whoever welcomes reads. Older members
// do not tell: they read the first.
func parseWelcome(body []byte) (reads uint16) {
	const before = 2 + 8 // wire version, incarnation
	if len(body) < before+2 {
		return 1
	}
	return binary.BigEndian.Uint16(body[before:])
}

// welcome is the handshake of the side that was called. After a *Refusal the
// other side knows why. addressOf gives where a member is known to be, or empty.
func (o *Options) welcome(conn net.Conn, addressOf func(protocol.MemberID) string) (hello, error) {
	typ, body, err := readControl(conn)
	if f, ok := errors.AsType[*foreignError](err); ok && f.tls() {
		r := refuse(ReasonTLS, "this member does not use TLS")
		dismiss(conn, r)
		return hello{}, r
	}
	if err != nil {
		return hello{}, fmt.Errorf("waiting for the hello: %w", err)
	}
	if typ != frameHello {
		return hello{}, errors.New("the first frame is no hello")
	}
	h, err := parseHello(body)
	if err != nil {
		return hello{}, err
	}
	r := o.judge(h)
	if r == nil {
		r = o.TLS.verify(conn, h.from, cmp.Or(addressOf(h.from), h.address))
	}
	if r != nil {
		dismiss(conn, r)
		return h, r
	}
	if _, err := conn.Write(o.welcomeFrame()); err != nil {
		return h, fmt.Errorf("sending the welcome: %w", err)
	}
	return h, nil
}
