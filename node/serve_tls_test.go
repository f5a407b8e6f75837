package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/quorate/quorate/node/nodeapi"
)

// trio is a cluster of three processes whose every endpoint is mutual TLS, with the same
// files for all, or with files of its own for each.
type trio struct {
	t       *testing.T
	base    int
	dir     string
	files   [3]*secret
	ca      *credential // trusted by members and by the clients here
	next    *credential // trusted by the clients too; nil: none
	members [3]*process
}

func startTrio(t *testing.T) *trio {
	t.Helper()
	c := &trio{t: t, base: freeBase(t, 3), dir: t.TempDir(), ca: newCA(t, "ca")}
	shared := newSecret(t)
	c.files = [3]*secret{shared, shared, shared}
	own := c.ca.leaf(t)
	shared.put(own, own, c.ca)
	c.startAll()
	return c
}

func (c *trio) startAll() {
	c.t.Helper()
	for i := range c.members {
		c.start(i + 1)
	}
	for i := range c.members {
		c.ready(i + 1)
	}
}

func (c *trio) start(member int) {
	c.t.Helper()
	args := serveArgs(c.base, member, 3, c.dir, c.files[member-1].flags("peer", "client", "admin")...)
	c.members[member-1] = node(c.t, fmt.Sprintf("m-%d", member), args...)
}

func (c *trio) endpoint(member int) string { return address(c.base, member, clientPort) }

func (c *trio) admin(member int) string { return "https://" + address(c.base, member, adminPort) }

// adminURI names an admin of the clusters of these tests, whose ID is "c".
const adminURI = "quorate://c/admin"

// tls is the configuration of an admin whom the members trust at present.
func (c *trio) tls() *tls.Config {
	cas := []*credential{c.ca}
	if c.next != nil {
		cas = append(cas, c.next)
	}
	return clientTLS(c.ca.leaf(c.t, adminURI), cas...)
}

func (c *trio) ready(member int) {
	c.t.Helper()
	ready(c.t, httpsClient(c.tls()), c.admin(member))
}

func (c *trio) client(t *testing.T, config *tls.Config, members ...int) *clientv3.Client {
	t.Helper()
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, c.endpoint(m))
	}
	return client(t, clientv3.Config{Endpoints: endpoints, TLS: config})
}

// serves writes through each member and reads it from each, with new connections.
func (c *trio) serves(t *testing.T, what string) {
	t.Helper()
	config := c.tls()
	for through := 1; through <= 3; through++ {
		key, value := what+strconv.Itoa(through), time.Now().String()
		if _, err := c.client(t, config, through).Put(patiently(t), key, value); err != nil {
			t.Fatalf("writing through member %d: %v", through, err)
		}
		for from := 1; from <= 3; from++ {
			r, err := c.client(t, config, from).Get(patiently(t), key)
			if err != nil {
				t.Fatalf("reading from member %d: %v", from, err)
			}
			if len(r.Kvs) != 1 || string(r.Kvs[0].Value) != value {
				t.Errorf("member %d gives %v for %s, want %q", from, r.Kvs, key, value)
			}
		}
	}
}

// leader gives the member that leads, when two others follow it.
func (c *trio) leader(t *testing.T) (member int, term uint64) {
	t.Helper()
	h := httpsClient(c.tls())
	eventually(t, "one leads and all follow", func() error {
		var first nodeapi.Status
		for i := range c.members {
			s, err := status(h, c.admin(i+1))
			switch {
			case err != nil:
				return err
			case i == 0:
				first = s
			case s.LeaderID != first.LeaderID || s.Term != first.Term:
				return fmt.Errorf("%+v and %+v", first, s)
			}
		}
		if member, term = int(first.LeaderID), first.Term; member == 0 {
			return errors.New("nobody leads")
		}
		return nil
	})
	return member, term
}

// Three processes serve with TLS everywhere, refuse who does not belong to them, hand
// leadership over, and take new certificates, all in one life.
func TestServeWithTLS(t *testing.T) {
	t.Parallel()
	c := startTrio(t)
	for _, s := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"every member serves", func(t *testing.T) { c.serves(t, "first") }},
		{"member list", c.testMemberList},
		{"who is refused", c.testRefused},
		{"who may use the admin endpoint", c.testAdmins},
		{"a member of another cluster", c.testOtherCluster},
		{"new certificates", c.testRotation},
		{"SIGTERM to the leader", c.testHandOver},
		{"members by clients", c.testMembers},
	} {
		if !t.Run(s.name, s.run) {
			return // what follows builds on it
		}
	}
}

func (c *trio) testMemberList(t *testing.T) {
	r, err := c.client(t, c.tls(), 2).MemberList(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range r.Members {
		got = append(got, fmt.Sprint(m.ID, m.Name, m.PeerURLs, m.ClientURLs))
	}
	for i := 1; i <= 3; i++ {
		want = append(want, fmt.Sprint(i, fmt.Sprintf("m-%d", i), []string{"https://" + address(c.base, i, peerPort)}, []string{"https://" + c.endpoint(i)}))
	}
	if diff := cmp.Diff(strings.ReplaceAll(strings.Join(want, "\n"), " ", ""), strings.ReplaceAll(strings.Join(got, "\n"), " ", "")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func (c *trio) testRefused(t *testing.T) {
	stranger := newCA(t, "stranger")
	for _, x := range []struct {
		name   string
		config *tls.Config
		want   string
	}{
		{"plain text", nil, "error reading server preface"},
		{"no certificate", clientTLS(nil, c.ca), "certificate required"},
		{"certificate of another CA", clientTLS(stranger.leaf(t), c.ca), "unknown certificate authority"},
		{"client trusts another CA", clientTLS(c.ca.leaf(t), stranger), "certificate signed by unknown authority"},
	} {
		for m := 1; m <= 3; m++ {
			eventually(t, fmt.Sprintf("%s: member %d refuses, and the client hears why", x.name, m), func() error {
				err := putOnce(t, c.endpoint(m), x.config)
				if err == nil {
					t.Fatalf("%s: member %d takes a write", x.name, m)
				}
				if !strings.Contains(err.Error(), x.want) { // a connection that breaks may hide the reason
					return fmt.Errorf("want %q: %w", x.want, err)
				}
				return nil
			})
		}
		if x.config == nil {
			continue
		}
		if code, _, err := get(httpsClient(x.config), c.admin(1)+nodeapi.PathStatusz); err == nil && code != http.StatusForbidden {
			t.Errorf("%s: the admin endpoint answers %d", x.name, code)
		}
	}
	if code, body, err := get(plainHTTP(t), "http://"+address(c.base, 1, adminPort)+nodeapi.PathStatusz); err == nil && code != 400 {
		t.Errorf("the admin endpoint answers in plain text: %d, %s", code, body)
	}
	if r, err := c.client(t, c.tls(), 1).Get(patiently(t), "refused"); err != nil || r.Count != 0 {
		t.Errorf("a refused client has written: %v, %v", r, err)
	}
}

// Probes and metrics are for everybody; the rest is for the operator and admins alone: a
// certificate of the CA does not make one.
func (c *trio) testAdmins(t *testing.T) {
	for name, x := range map[string]struct {
		config *tls.Config
		all    bool
	}{
		"nobody":    {clientTLS(nil, c.ca), false},
		"a member":  {clientTLS(c.ca.leaf(t), c.ca), false},
		"member 1":  {clientTLS(c.ca.leaf(t, "quorate://c/member/1"), c.ca), false},
		"a client":  {clientTLS(c.ca.leaf(t, "quorate://c/client"), c.ca), false},
		"elsewhere": {clientTLS(c.ca.leaf(t, "quorate://d/operator"), c.ca), false},
		"operator":  {clientTLS(c.ca.leaf(t, "quorate://c/operator"), c.ca), true},
		"admin":     {clientTLS(c.ca.leaf(t, adminURI), c.ca), true},
	} {
		for _, path := range append([]string{nodeapi.PathStatusz, nodeapi.PathFaults}, nodeapi.OpenPaths...) {
			want := http.StatusForbidden
			if x.all || slices.Contains(nodeapi.OpenPaths, path) {
				want = http.StatusOK
			}
			if code, body, err := get(httpsClient(x.config), c.admin(1)+path); code != want {
				t.Errorf("%s: GET %s answers %d, want %d: %s, %v", name, path, code, want, body, err)
			}
		}
		if x.all {
			continue
		}
		r, err := httpsClient(x.config).Post(c.admin(1)+nodeapi.PathTransfer, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("%s may transfer leadership: %d", name, r.StatusCode)
		}
	}
}

// putOnce writes the key "refused" with the first connection it gets: other than clientv3 it does
// not try again.
func putOnce(t *testing.T, endpoint string, config *tls.Config) error {
	t.Helper()
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = pb.NewKVClient(conn).Put(patiently(t), &pb.PutRequest{Key: []byte("refused")})
	return err
}

// A process that is told the addresses of members, but belongs to another cluster, is
// refused by them, and says why.
func (c *trio) testOtherCluster(t *testing.T) {
	base, h := freeBase(t, 1), plainHTTP(t)
	own := address(base, 1, adminPort)
	p := node(t, "stranger", append([]string{
		"serve", "--name", "stranger", "--member-id", "9", "--cluster-id", "another", "--data-dir", filepath.Join(c.dir, "stranger"),
		"--initial-members", members(c.base, 3) + ",9=" + address(base, 1, peerPort),
		"--listen-client", address(base, 1, clientPort), "--listen-peer", address(base, 1, peerPort), "--listen-admin", own,
	}, c.files[0].flags("peer", "client")...)...)
	for i := 1; i <= 3; i++ {
		eventually(t, fmt.Sprintf("the stranger tells that member %d refuses it", i), func() error {
			for _, l := range lines(p.out.String()) {
				if l.Member == i && l.Reason == "Cluster" && strings.Contains(l.Error, `you belong to cluster "another"; this member belongs to "c"`) {
					return nil
				}
			}
			return errors.New("not yet")
		})
	}
	if s, err := status(h, "http://"+own); err != nil || s.LeaderID != 0 {
		t.Errorf("the stranger has a leader: %+v, %v", s, err)
	}
	p.stop(syscall.SIGTERM)
	c.serves(t, "beside a stranger")
}

// line is one of the log, as far as it is needed here.
type line struct {
	Msg    string
	Member int
	Reason string
	Error  string
	Role   nodeapi.Role
	Term   uint64
}

// lines reads a log; a line that is not whole yet is left out.
func lines(log string) []line {
	var out []line
	for s := range strings.Lines(log) {
		var l line
		if json.Unmarshal([]byte(s), &l) == nil {
			out = append(out, l)
		}
	}
	return out
}

// load writes through all members until it is ended. Each attempt has a key of its own.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[string]string
	last         time.Time
	gap          time.Duration  // the longest time without an acknowledgement
	errors       map[string]int // how often which one
}

func startLoad(t *testing.T, c *trio) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel, acknowledged: map[string]string{}, errors: map[string]int{}, last: time.Now()}
	t.Cleanup(l.end)
	for w := range 6 {
		x := c.client(t, c.tls(), 1, 2, 3)
		l.wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				k, v := fmt.Sprintf("load/%d/%d", w, i), strconv.Itoa(i)
				once, cancel := context.WithTimeout(ctx, patience/4)
				_, err := x.Put(once, k, v)
				cancel()
				l.note(ctx, k, v, err)
			}
		})
	}
	return l
}

func (l *load) note(ctx context.Context, k, v string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case ctx.Err() != nil && err != nil:
	case err != nil:
		l.errors[err.Error()]++
	default:
		l.acknowledged[k] = v
		l.gap, l.last = max(l.gap, time.Since(l.last)), time.Now()
	}
}

func (l *load) end() {
	l.cancel()
	l.wg.Wait()
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// more waits until n more writes are acknowledged.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	from := l.count()
	eventually(t, fmt.Sprintf("%d more writes are acknowledged", n), func() error {
		if now := l.count(); now < from+n {
			return fmt.Errorf("%d", now-from)
		}
		return nil
	})
}

// The leader that must stop hands leadership over first: another one is elected while it
// still lives. Writes go on, and nothing acknowledged is lost.
func (c *trio) testHandOver(t *testing.T) {
	l := startLoad(t, c)
	l.more(t, 100)
	leader, term := c.leader(t)
	out := c.members[leader-1].stop(syscall.SIGTERM)
	wantHandedOver(t, out)
	l.more(t, 100)
	h := httpsClient(c.tls())
	for i := 1; i <= 3; i++ {
		if i != leader {
			eventually(t, "there is another leader", func() error {
				s, err := status(h, c.admin(i))
				if err == nil && (s.LeaderID == 0 || s.LeaderID == uint64(leader) || s.Term <= term) {
					err = fmt.Errorf("%+v", s)
				}
				return err
			})
		}
	}
	c.start(leader)
	c.ready(leader)
	l.end()
	t.Logf("%d writes, longest pause %v, errors %v", len(l.acknowledged), l.gap, l.errors)
	r, err := c.client(t, c.tls(), leader).Get(patiently(t), "load/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range r.Kvs {
		got[string(kv.Key)] = string(kv.Value)
	}
	for k, v := range l.acknowledged {
		if got[k] != v {
			t.Errorf("%s is %q, acknowledged was %q", k, got[k], v)
		}
	}
}

// wantHandedOver reads the log of a leader that stopped: after it led it saw a higher
// term, in which another one was elected.
func wantHandedOver(t *testing.T, log string) {
	t.Helper()
	var led, after uint64
	stopped := false
	for _, l := range lines(log) {
		switch {
		case l.Msg == "raft state" && l.Role == nodeapi.RoleLeader:
			led, after = l.Term, 0
		case l.Msg == "raft state":
			after = l.Term
		case l.Msg == "stopped":
			stopped = true
		case strings.HasPrefix(l.Msg, "leadership was not handed over"):
			t.Errorf("%+v", l)
		}
	}
	if led == 0 || after <= led || !stopped {
		t.Errorf("it led in term %d, was then in term %d, stopped in order: %t", led, after, stopped)
	}
}

// New certificates are in use for new connections, without a restart: first ones of the
// same CA, then, over a time in which both are trusted, those of another CA.
func (c *trio) testRotation(t *testing.T) {
	old, next := c.ca, newCA(t, "next")
	oldClient, nextClient := old.leaf(t), next.leaf(t)

	renewed := old.leaf(t)
	c.files[0].put(renewed, renewed, old)
	c.show(t, renewed, clientTLS(oldClient, old))
	c.serves(t, "with renewed certificates")

	c.files[0].put(renewed, renewed, old, next)
	c.take(t, "clients of the next CA", clientTLS(nextClient, old), "")
	c.take(t, "clients of the old CA", clientTLS(oldClient, old), "")

	moved := next.leaf(t)
	c.files[0].put(moved, moved, old, next)
	c.show(t, moved, clientTLS(oldClient, old, next))
	c.take(t, "clients of the old CA who trust both", clientTLS(oldClient, old, next), "")
	c.take(t, "clients who trust the old CA only", clientTLS(oldClient, old), "unknown authority")

	c.files[0].put(moved, moved, next)
	c.take(t, "clients of the old CA", clientTLS(oldClient, old, next), "unknown certificate authority")
	c.take(t, "clients of the next CA", clientTLS(nextClient, next), "")
	c.ca = next
	c.serves(t, "with the next CA")

	// Members have kept their connections so far: one that starts needs new ones.
	c.members[0].stop(syscall.SIGTERM)
	c.start(1)
	c.ready(1)
	c.serves(t, "with new connections of peers")
}

// show waits until every endpoint of every member shows the certificate.
func (c *trio) show(t *testing.T, want *credential, config *tls.Config) {
	t.Helper()
	for i := 1; i <= 3; i++ {
		for port := range 3 {
			a := address(c.base, i, port)
			eventually(t, a+" shows its new certificate", func() error {
				got, err := shown(t, a, config)
				if err == nil && got.Cmp(want.cert.SerialNumber) != 0 {
					err = fmt.Errorf("it shows %v, want %v", got, want.cert.SerialNumber)
				}
				return err
			})
		}
	}
}

// shown gives the serial number of the certificate that a server shows.
func shown(t *testing.T, address string, config *tls.Config) (*big.Int, error) {
	d := tls.Dialer{Config: config}
	conn, err := d.DialContext(patiently(t), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber, nil
}

// take waits until every member's client endpoint welcomes such a client, or refuses it with
// that error; and the admin endpoint too.
func (c *trio) take(t *testing.T, who string, config *tls.Config, refusal string) {
	t.Helper()
	for i := 1; i <= 3; i++ {
		eventually(t, fmt.Sprintf("member %d takes %s (refusal %q)", i, who, refusal), func() error {
			_, _, err := get(httpsClient(config), c.admin(i)+nodeapi.PathLivez)
			for _, err := range []error{greeted(t, c.endpoint(i), config), err} {
				if refusal == "" && err != nil {
					return err
				}
				if refusal != "" && (err == nil || !strings.Contains(err.Error(), refusal)) {
					return fmt.Errorf("it answers %w", err)
				}
			}
			return nil
		})
	}
}

// greeted waits for the first byte of a gRPC server, which it sends only to clients that it takes.
func greeted(t *testing.T, address string, config *tls.Config) error {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	d := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: patience}}
	conn, err := d.DialContext(patiently(t), "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
