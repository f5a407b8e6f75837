package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/host"
	"github.com/quorate/quorate/raftcore/machine"
	"github.com/quorate/quorate/raftcore/membership"
	"github.com/quorate/quorate/raftcore/protocol"
)

// Node is a running member as a client API sees it. Its methods may be called from
// any goroutine.
type Node struct {
	cfg    *Config
	host   *host.Host
	status func() nodeapi.Status

	clientTLS *certificates // nil: clients speak no TLS
}

// MemberInfo tells about one member of the cluster.
type MemberInfo struct {
	ID            uint64
	Name          string
	PeerAddress   string // host:port
	ClientAddress string // host:port
	Learner       bool
}

// Propose replicates a command and gives the state machine's result; see
// host.Host.Propose for the errors.
func (n *Node) Propose(ctx context.Context, payload []byte) (machine.Result, error) {
	return n.host.Propose(ctx, payload)
}

// ReadBarrier returns when a read of the local state machine is linearizable.
func (n *Node) ReadBarrier(ctx context.Context) error { return n.host.ReadBarrier(ctx) }

// Status gives what /statusz gives.
func (n *Node) Status() nodeapi.Status { return n.status() }

// State gives the present role, term and leader; it is cheap.
func (n *Node) State() host.State { return n.host.State() }

// Applied gives the index up to which the state machine has applied.
func (n *Node) Applied() uint64 { return uint64(n.host.Applied()) }

// MemberID gives this member's own number.
func (n *Node) MemberID() uint64 { return n.cfg.MemberID }

// ClusterID gives the identity of the cluster.
func (n *Node) ClusterID() string { return n.cfg.ClusterID }

// ClientTLS reports whether clients speak TLS with this cluster.
func (n *Node) ClientTLS() bool { return n.cfg.ClientTLS.enabled() }

// PeerTLS reports whether the members speak TLS with each other.
func (n *Node) PeerTLS() bool { return n.cfg.PeerTLS.enabled() }

// Transfer hands leadership to a member and returns when this one does not lead.
func (n *Node) Transfer(ctx context.Context, to uint64) error {
	return n.host.Transfer(ctx, protocol.MemberID(to))
}

// Membership gives the configuration in effect. It must not be changed.
func (n *Node) Membership() protocol.Membership { return n.host.Membership() }

// ChangeMembership lets this member, which must lead, change the membership; see
// host.Host.ChangeMembership for the errors.
func (n *Node) ChangeMembership(ctx context.Context, c membership.Change) error {
	_, err := n.host.ChangeMembership(ctx, c)
	return err
}

// MembersByOperator reports whether clients may not change the membership.
func (n *Node) MembersByOperator() bool { return n.cfg.Membership == nodeapi.MembershipByOperator }

// DialMember connects to the client endpoint of another member as a client does that shows
// this member's own certificate.
func (n *Node) DialMember(ctx context.Context, id uint64) (net.Conn, error) {
	x, ok := n.host.Membership().Find(protocol.MemberID(id))
	if !ok {
		return nil, fmt.Errorf("there is no member %d", id)
	}
	address := n.cfg.memberInfo(x).ClientAddress
	if address == "" {
		return nil, fmt.Errorf("it is not known where clients reach member %d", id)
	}
	if n.clientTLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	c, err := n.clientTLS.client()
	if err != nil {
		return nil, err
	}
	c.NextProtos = []string{"h2"}
	return (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", address)
}

// Members gives the members of the cluster, ascending by ID.
func (n *Node) Members() []MemberInfo {
	var out []MemberInfo
	for _, m := range n.host.Status().Membership.Members {
		out = append(out, n.cfg.memberInfo(m))
	}
	return out
}

// memberInfo tells about a member of a configuration. Its name and its client address are
// worked out where the configuration has none.
func (c *Config) memberInfo(m protocol.Member) MemberInfo {
	info := MemberInfo{
		ID: uint64(m.ID), Name: m.Name, PeerAddress: m.Address,
		ClientAddress: hostOf(m.Client), Learner: m.Suffrage == protocol.Learner,
	}
	if info.Name == "" {
		info.Name = c.nameOf(m.ID)
	}
	if info.ClientAddress == "" {
		info.ClientAddress = c.clientAddressOf(m.Address)
	}
	if m.ID == protocol.MemberID(c.MemberID) && c.AdvertiseClient != "" {
		info.ClientAddress = c.AdvertiseClient
	}
	return info
}

// hostOf gives host:port of a URL, "" when there is none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// clientURLOf is the URL under which clients reach a member, "" when that is not known.
func (c *Config) clientURLOf(id protocol.MemberID, peer string) string {
	address := c.clientAddressOf(peer)
	if id == protocol.MemberID(c.MemberID) && c.AdvertiseClient != "" {
		address = c.AdvertiseClient
	}
	return c.clientURL(address)
}

// clientURL is the URL of a client address, "" for none.
func (c *Config) clientURL(address string) string {
	switch {
	case address == "":
		return ""
	case c.ClientTLS.enabled():
		return "https://" + address
	}
	return "http://" + address
}

// nameOf gives a member's name. Members are named alike: where this one's name ends
// in its number, another's ends in its own.
func (c *Config) nameOf(id protocol.MemberID) string {
	if id == protocol.MemberID(c.MemberID) {
		return c.Name
	}
	if stem, ok := strings.CutSuffix(c.Name, "-"+strconv.FormatUint(c.MemberID, 10)); ok {
		return stem + "-" + strconv.FormatUint(uint64(id), 10)
	}
	return strconv.FormatUint(uint64(id), 10)
}

// clientAddressOf gives the client address of the member with the peer address. In
// every member the two ports are equally far apart, as they are here.
func (c *Config) clientAddressOf(peer string) string {
	host, port, err := net.SplitHostPort(peer)
	theirs, err1 := strconv.Atoi(port)
	_, ownPeer, err2 := net.SplitHostPort(c.AdvertisePeer)
	_, ownClient, err3 := net.SplitHostPort(c.ListenClient)
	p, err4 := strconv.Atoi(ownPeer)
	q, err5 := strconv.Atoi(ownClient)
	for _, e := range []error{err, err1, err2, err3, err4, err5} {
		if e != nil {
			return ""
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(theirs+q-p))
}
