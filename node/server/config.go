package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/quorate/quorate/node/nodeapi"
	"github.com/quorate/quorate/raftcore/protocol"
	"github.com/quorate/quorate/raftcore/vfs"
)

// Config is what one member is told, by flags or by the environment.
type Config struct {
	Name      string
	DataDir   string
	MemberID  uint64
	ClusterID string

	ListenPeer, ListenClient, ListenAdmin string // host:port
	AdvertisePeer, AdvertiseClient        string // host:port, how others reach this member

	InitialMembers string // 1=host:port,2=host:port,...
	Join           bool
	Membership     string // nodeapi.MembershipByClients or MembershipByOperator

	ElectionTimeout   time.Duration
	HeartbeatInterval time.Duration
	SnapshotEntries   uint64

	DiskReserve, DiskLowWater, DiskHighWater uint64 // bytes; 0: none

	PeerTLS, ClientTLS, AdminTLS TLSFiles
	TLSIdentity                  string // in certificates, see nodeapi.URIMember; empty: the cluster ID

	LogLevel string // debug, info or error

	members    protocol.Membership // parsed from InitialMembers
	stopAtOnce bool                // the whole cluster stops: nobody is left to lead
	fs         vfs.FS              // nil: the system's
}

// flags declares a flag for each field. Their defaults are the documentation.
func (c *Config) flags(f *pflag.FlagSet) {
	f.StringVar(&c.Name, "name", "", "name of this member, as people see it (default: the host's name)")
	f.StringVar(&c.DataDir, "data-dir", "/data", "directory of the log, the state machine and all else that must survive")
	f.Uint64Var(&c.MemberID, "member-id", 0, "number of this member, at least 1, never used by another one before")
	f.StringVar(&c.ClusterID, "cluster-id", "", "identity of the cluster; a directory of another one is refused")
	f.StringVar(&c.ListenPeer, "listen-peer", addr(nodeapi.PeerPort), "address for the other members")
	f.StringVar(&c.ListenClient, "listen-client", addr(nodeapi.ClientPort), "address for clients")
	f.StringVar(&c.ListenAdmin, "listen-admin", addr(nodeapi.AdminPort), "address for health, status and metrics")
	f.StringVar(&c.AdvertisePeer, "advertise-peer", "", "host:port where the others reach this member (default: from --initial-members)")
	f.StringVar(&c.AdvertiseClient, "advertise-client", "", "host:port where clients reach this member")
	f.StringVar(&c.InitialMembers, "initial-members", "", "founding members, as 1=host:port,2=host:port,...")
	f.BoolVar(&c.Join, "join", false, "with an empty directory take no part on one's own: wait for the leader, or, with --initial-members, for the operator's grant to found the cluster")
	f.StringVar(&c.Membership, "membership", nodeapi.MembershipByClients, "who may add and remove members: clients, by the etcd API, or the operator alone")
	f.DurationVar(&c.ElectionTimeout, "election-timeout", time.Second, "a leader that is silent for this long, up to twice as long, is replaced")
	f.DurationVar(&c.HeartbeatInterval, "heartbeat-interval", 100*time.Millisecond, "how often a leader speaks; a fifth or less of the election timeout")
	f.Uint64Var(&c.SnapshotEntries, "snapshot-entries", 100_000, "entries after which the state is made durable and the log is compacted")
	f.Uint64Var(&c.DiskReserve, "disk-reserve", 32<<20, "bytes on the volume that are kept for when it is full, so that the log can go on (0: none)")
	f.Uint64Var(&c.DiskLowWater, "disk-low-water", 96<<20, "bytes free on the volume below which a leader takes no new commands")
	f.Uint64Var(&c.DiskHighWater, "disk-high-water", 160<<20, "bytes free on the volume from which on it takes them again")
	c.PeerTLS.flags(f, "peer", "the other members (always mutual)")
	c.ClientTLS.flags(f, "client", "clients (mutual when there is a CA file)")
	c.AdminTLS.flags(f, "admin", "the admin endpoint (with a CA file, all but probes and metrics wants a certificate of the operator or an admin)")
	f.StringVar(&c.TLSIdentity, "tls-identity", "", "name of the cluster in the URIs of certificates, quorate://NAME/member/1 and the like (default: the cluster ID)")
	f.StringVar(&c.LogLevel, "log-level", "info", "debug, info or error")
}

// maxDiskReserve keeps the reserve a small part of any volume, in bytes.
const maxDiskReserve = 16 << 30

func addr(port int) string { return net.JoinHostPort("0.0.0.0", strconv.Itoa(port)) }

// fromEnv sets every flag that was not given from its environment variable, as in
// QUORATE_MEMBER_ID for --member-id.
func fromEnv(f *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	f.VisitAll(func(x *pflag.Flag) {
		name := envName(x.Name)
		v, ok := lookup(name)
		if !ok || x.Changed {
			return
		}
		if err := f.Set(x.Name, v); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, flagError(err)))
		}
	})
	return errors.Join(errs...)
}

// flagError says what a flag's value must be, in place of what a parser did not like.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	must, ok := map[string]string{
		"int": "a whole number", "uint64": "a whole number, not negative", "bool": "true or false",
		"duration": "a time with its unit, such as 100ms or 1s",
	}[invalid.GetFlag().Value.Type()]
	if !ok {
		return err
	}
	return fmt.Errorf("--%s is %q, must be %s", invalid.GetFlag().Name, invalid.GetValue(), must)
}

func envName(flag string) string {
	return nodeapi.EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// validate fills in what is derived and tells everything that is wrong at once.
func (c *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Name == "" {
		c.Name, _ = os.Hostname()
	}
	if c.MemberID == 0 {
		bad("--member-id is not set: give this member's number, at least 1")
	}
	if c.ClusterID == "" {
		bad("--cluster-id is not set: all members of a cluster have the same one")
	}
	if c.DataDir == "" {
		bad("--data-dir is empty: name a directory on a volume that survives a restart")
	}
	if !c.Join && c.InitialMembers == "" {
		bad("neither --initial-members nor --join is given: say who founds the cluster, or that this member joins one")
	}
	if c.Join && c.InitialMembers == "" && c.AdvertisePeer == "" {
		bad("--join without --initial-members needs --advertise-peer: the host:port where the other members reach this one")
	}
	if c.Membership != nodeapi.MembershipByClients && c.Membership != nodeapi.MembershipByOperator {
		bad("--membership is %q, must be %s or %s", c.Membership, nodeapi.MembershipByClients, nodeapi.MembershipByOperator)
	}
	errs = append(errs, c.validateMembers(), c.validateTiming())
	errs = append(errs, c.PeerTLS.validate("peer", true), c.ClientTLS.validate("client", false), c.AdminTLS.validate("admin", false))
	for _, a := range []struct{ flag, value string }{
		{"listen-peer", c.ListenPeer}, {"listen-client", c.ListenClient}, {"listen-admin", c.ListenAdmin},
	} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			bad("--%s is %q, must be host:port", a.flag, a.value)
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateMembers() error {
	if c.InitialMembers == "" {
		return nil
	}
	m, err := parseMembers(c.InitialMembers)
	if err != nil {
		return err
	}
	c.members = m
	self, ok := m.Find(protocol.MemberID(c.MemberID))
	if !ok && c.MemberID != 0 {
		return fmt.Errorf("--member-id is %d but --initial-members %q does not name it", c.MemberID, c.InitialMembers)
	}
	if c.AdvertisePeer == "" {
		c.AdvertisePeer = self.Address
	}
	for i := range c.members.Members {
		m := &c.members.Members[i]
		m.Name, m.Client = c.nameOf(m.ID), c.clientURLOf(m.ID, m.Address)
	}
	return nil
}

func (c *Config) validateTiming() error {
	if c.HeartbeatInterval < 5*time.Millisecond {
		return fmt.Errorf("--heartbeat-interval is %v, must be at least 5ms", c.HeartbeatInterval)
	}
	if c.ElectionTimeout < 5*c.HeartbeatInterval {
		return fmt.Errorf("--election-timeout is %v, must be at least five times --heartbeat-interval, %v", c.ElectionTimeout, c.HeartbeatInterval)
	}
	if c.SnapshotEntries == 0 {
		return errors.New("--snapshot-entries is 0, must be at least 1")
	}
	if c.DiskHighWater < c.DiskLowWater {
		return fmt.Errorf("--disk-high-water is %d, must be at least --disk-low-water, %d", c.DiskHighWater, c.DiskLowWater)
	}
	if c.DiskReserve > maxDiskReserve {
		return fmt.Errorf("--disk-reserve is %d, must be at most %d", c.DiskReserve, uint64(maxDiskReserve))
	}
	if _, err := parseLevel(c.LogLevel); err != nil {
		return err
	}
	return nil
}

// parseMembers reads 1=host:port,2=host:port,...
func parseMembers(s string) (protocol.Membership, error) {
	var m protocol.Membership
	for part := range strings.SplitSeq(s, ",") {
		id, address, ok := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseUint(id, 10, 64)
		if !ok || err != nil || n == 0 {
			return m, fmt.Errorf("--initial-members has %q, must be like 1=host:2380", part)
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return m, fmt.Errorf("--initial-members has address %q for member %d, must be host:port", address, n)
		}
		if _, twice := m.Find(protocol.MemberID(n)); twice {
			return m, fmt.Errorf("--initial-members names member %d twice", n)
		}
		m.Members = append(m.Members, protocol.Member{ID: protocol.MemberID(n), Address: address, Suffrage: protocol.Voter})
	}
	sortMembers(m.Members)
	return m, nil
}
