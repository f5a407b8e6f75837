package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// startDev runs the command dev and waits until its members are ready.
func startDev(t *testing.T, base, nodes int, dir string) *process {
	t.Helper()
	p := node(t, "dev", devArgs(base, nodes, dir)...)
	p.says("Stop with Ctrl-C")
	return p
}

func devArgs(base, nodes int, dir string) []string {
	return []string{"dev", "--base-port", strconv.Itoa(base), "--nodes", strconv.Itoa(nodes), "--data-dir", dir}
}

// findEtcdctl gives etcd's own client: ETCDCTL, or else the one that the repository
// pins, which is built when it is not there.
var findEtcdctl = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("ETCDCTL"); p != "" {
		return p, nil
	}
	script := exec.Command("../hack/tools/build.sh", "etcdctl")
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		return "", fmt.Errorf("no etcdctl: ETCDCTL names none, and %v gives %w", script.Args, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "etcdctl"), nil
})

// etcdctl is the program, with the flags that come first.
type etcdctl struct {
	t     *testing.T
	path  string
	flags []string
}

func newEtcdctl(t *testing.T, flags ...string) etcdctl {
	t.Helper()
	path, err := findEtcdctl()
	if err != nil {
		t.Fatal(err)
	}
	return etcdctl{t, path, flags}
}

// at gives the same for one member.
func (e etcdctl) at(endpoint string) etcdctl {
	e.flags = append([]string{"--endpoints", endpoint}, e.flags...)
	return e
}

// try runs it to its end.
func (e etcdctl) try(stdin string, args ...string) (stdout, stderr string, err error) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, e.path, append(append([]string{}, e.flags...), args...)...)
	c.Env = environment()
	c.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

// wants runs it, which must go well and print just that.
func (e etcdctl) wants(want string, args ...string) {
	e.t.Helper()
	if diff := cmp.Diff(want, e.gives("", args...)); diff != "" {
		e.t.Errorf("etcdctl %s prints (-want +got):\n%s", strings.Join(args, " "), diff)
	}
}

// gives runs it, which must go well, and gives what it prints.
func (e etcdctl) gives(stdin string, args ...string) string {
	e.t.Helper()
	stdout, stderr, err := e.try(stdin, args...)
	if err != nil {
		e.t.Fatalf("etcdctl %s: %v: %s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// fails runs it, which must fail and say so.
func (e etcdctl) fails(want string, args ...string) {
	e.t.Helper()
	stdout, stderr, err := e.try("", args...)
	if err == nil || !strings.Contains(stderr, want) {
		e.t.Errorf("etcdctl %s: %v, prints %q and %q, want %q", strings.Join(args, " "), err, stdout, stderr, want)
	}
}

// decode reads JSON that etcdctl printed.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// header is of every answer, as etcdctl prints it.
type header struct {
	ClusterID uint64 `json:"cluster_id"`
	MemberID  uint64 `json:"member_id"`
	Revision  int64  `json:"revision"`
	RaftTerm  uint64 `json:"raft_term"`
}

// revision gives the store's present one.
func (e etcdctl) revision() int64 {
	e.t.Helper()
	return decode[struct{ Header header }](e.t, e.gives("", "get", "none", "--write-out=json")).Header.Revision
}

// etcd's own client works with a cluster of the command dev.
func TestDevServesEtcdctl(t *testing.T) {
	t.Parallel()
	base := freeBase(t, 3)
	dev := startDev(t, base, 3, filepath.Join(t.TempDir(), "dev"))
	var endpoints []string
	for i := range 3 {
		endpoints = append(endpoints, address(base, i+1, clientPort))
	}
	all := strings.Join(endpoints, ",")
	if out := dev.out.String(); !strings.Contains(out, "3 members are ready") || !strings.Contains(out, all) {
		t.Errorf("dev welcomes with %q", out)
	}
	for _, s := range []struct {
		name string
		run  func(t *testing.T, e etcdctl, endpoints []string)
	}{
		{"put and get", etcdctlPutGet},
		{"del", etcdctlDel},
		{"txn", etcdctlTxn},
		{"every member", etcdctlEveryMember},
		{"watch", etcdctlWatch},
		{"compact", etcdctlCompact},
		{"members", etcdctlMembers},
		{"what is not there", etcdctlUnimplemented},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, newEtcdctl(t).at(all), endpoints) })
	}
	if out := dev.stop(syscall.SIGTERM); !strings.Contains(out, "stopped; ") {
		t.Errorf("dev ends with %q", out)
	}
}

func etcdctlPutGet(t *testing.T, e etcdctl, _ []string) {
	e.wants("OK\n", "put", "greeting", "hello")
	e.wants("greeting\nhello\n", "get", "greeting")
	e.wants("hello\n", "get", "greeting", "--print-value-only")
	for _, k := range []string{"p/b", "p/a", "p/c"} {
		e.wants("OK\n", "put", k, "of "+k)
	}
	before := e.revision()
	e.wants("OK\n", "put", "p/b", "changed")
	e.wants("p/a\nof p/a\np/b\nchanged\np/c\nof p/c\n", "get", "p/", "--prefix")
	e.wants("p/a\n\np/b\n\np/c\n\n", "get", "p/", "--prefix", "--keys-only")
	e.wants("p/c\n\np/b\n\n", "get", "p/a", "p/z", "--sort-by=KEY", "--order=DESCEND", "--limit=2", "--keys-only", "--consistency=s")
	e.wants("p/b\nof p/b\n", "get", "p/b", "--rev", strconv.FormatInt(before, 10))
	e.wants("", "get", "p/d")
	e.fails("etcdserver: mvcc: required revision is a future revision", "get", "p/b", "--rev", strconv.FormatInt(before+1000, 10))
	e.wants("OK\np/b\nchanged\n", "put", "p/b", "again", "--prev-kv")
}

func etcdctlDel(t *testing.T, e etcdctl, _ []string) {
	for _, k := range []string{"d/1", "d/2", "d/3"} {
		e.wants("OK\n", "put", k, "of "+k)
	}
	e.wants("1\nd/1\nof d/1\n", "del", "d/1", "--prev-kv")
	e.wants("0\n", "del", "d/1")
	e.wants("2\nd/2\nof d/2\nd/3\nof d/3\n", "del", "d/", "--prefix", "--prev-kv")
	e.wants("", "get", "d/", "--prefix")
}

// A transaction is read from standard input: compares, what to do, what to do otherwise, with an empty
// line after each.
func etcdctlTxn(t *testing.T, e etcdctl, _ []string) {
	const txn = "value(\"t/k\") = \"one\"\nversion(\"t/other\") = \"0\"\n\nput t/k two\nget t/k\n\nget t/k\n\n"
	e.wants("OK\n", "put", "t/k", "one")
	for _, want := range []string{"SUCCESS\n\nOK\n\nt/k\ntwo\n", "FAILURE\n\nt/k\ntwo\n"} {
		got := e.gives(txn, "txn", "--interactive")
		if !strings.HasPrefix(got, "compares:\n") || !strings.HasSuffix(got, want) {
			t.Errorf("the interactive transaction prints %q, want it to end in %q", got, want)
		}
	}
	if got := e.gives(txn, "txn"); got != "FAILURE\n\nt/k\ntwo\n" {
		t.Errorf("the transaction prints %q", got)
	}
}

// What is written through one member can be read from each other at once.
func etcdctlEveryMember(t *testing.T, e etcdctl, endpoints []string) {
	for _, through := range endpoints {
		value := "through " + through
		newEtcdctl(t).at(through).wants("OK\n", "put", "every", value)
		for _, from := range endpoints {
			newEtcdctl(t).at(from).wants(value+"\n", "get", "every", "--print-value-only")
		}
	}
}

// A watch tells the past from a revision on, and then what happens.
func etcdctlWatch(t *testing.T, e etcdctl, endpoints []string) {
	from := e.revision() + 1
	e.wants("OK\n", "put", "w/1", "first")
	e.wants("OK\n", "put", "elsewhere", "unseen")
	e.wants("1\n", "del", "w/1")
	w := start(t, "etcdctl watch", e.path, nil, "--endpoints", endpoints[1], "watch", "w/", "--prefix", "--prev-kv", "--rev", strconv.FormatInt(from, 10))
	const past = "PUT\nw/1\nfirst\nDELETE\nw/1\nfirst\nw/1\n\n"
	w.says("DELETE\nw/1\nfirst\nw/1\n")
	newEtcdctl(t).at(endpoints[2]).wants("OK\n", "put", "w/2", "live")
	w.says("w/2\nlive\n")
	if diff := cmp.Diff(past+"PUT\nw/2\nlive\n", w.out.String()); diff != "" {
		t.Errorf("the watch prints (-want +got):\n%s", diff)
	}
}

func etcdctlCompact(t *testing.T, e etcdctl, endpoints []string) {
	e.wants("OK\n", "put", "c", "old")
	old := strconv.FormatInt(e.revision(), 10)
	e.wants("OK\n", "put", "c", "new")
	now := strconv.FormatInt(e.revision(), 10)
	e.wants("compacted revision "+now+"\n", "compact", now)
	for _, x := range endpoints {
		one := newEtcdctl(t).at(x)
		one.fails("etcdserver: mvcc: required revision has been compacted", "get", "c", "--rev", old)
		one.wants("c\nnew\n", "get", "c", "--rev", now)
	}
	e.fails("etcdserver: mvcc: required revision has been compacted", "compact", old)
	w := start(t, "etcdctl watch", e.path, nil, "--endpoints", endpoints[0], "watch", "c", "--rev", old)
	if out := w.exits(5); !strings.Contains(out, "etcdserver: mvcc: required revision has been compacted") {
		t.Errorf("a watch from a compacted revision prints %q", out)
	}
}

func etcdctlMembers(t *testing.T, e etcdctl, endpoints []string) {
	type member struct {
		ID         uint64
		Name       string
		PeerURLs   []string
		ClientURLs []string
	}
	var want []member
	for i, x := range endpoints {
		host, port, _ := strings.Cut(x, ":")
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, member{
			uint64(i + 1), fmt.Sprintf("dev-%d", i+1),
			[]string{fmt.Sprintf("http://%s:%d", host, n+1)},
			[]string{"http://" + x},
		})
	}
	got := decode[struct{ Members []member }](t, e.gives("", "member", "list", "--write-out=json")).Members
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("member list (-want +got):\n%s", diff)
	}
	eventually(t, "endpoint status fits", func() error { return statusFits(t, e, endpoints) }) // members may elect just now
	if out := e.gives("", "endpoint", "status", "--cluster", "--write-out=table"); !strings.Contains(out, endpoints[0]) {
		t.Errorf("endpoint status as a table prints\n%s", out)
	}
	_, health, err := e.try("", "endpoint", "health", "--write-out=simple")
	out := e.gives("", "endpoint", "health", "--cluster") + health
	if n := strings.Count(out, " is healthy: "); n < len(endpoints) || strings.Contains(out, "unhealthy") || err != nil {
		t.Errorf("endpoint health: %v, prints %q", err, out)
	}
}

func statusFits(t *testing.T, e etcdctl, endpoints []string) error {
	t.Helper()
	type answer struct {
		Endpoint string
		Status   struct {
			Header                                        header
			Version                                       string
			DbSize, DbSizeInUse                           int64
			Leader, RaftIndex, RaftTerm, RaftAppliedIndex uint64
			IsLearner                                     bool
			Errors                                        []string
		}
	}
	got := decode[[]answer](t, e.gives("", "endpoint", "status", "--write-out=json"))
	if len(got) != len(endpoints) {
		return fmt.Errorf("%d members answer: %+v", len(got), got)
	}
	for i, a := range got {
		s, first := a.Status, got[0].Status
		switch {
		case a.Endpoint != endpoints[i], s.Header.MemberID != uint64(i+1), s.Header.ClusterID == 0, s.Header.ClusterID != first.Header.ClusterID,
			!strings.HasPrefix(s.Version, "3."), s.DbSize < s.DbSizeInUse, s.DbSizeInUse <= 0,
			s.Leader < 1 || s.Leader > 3, s.Leader != first.Leader, s.RaftTerm == 0, s.RaftTerm != s.Header.RaftTerm,
			s.RaftAppliedIndex == 0, s.RaftAppliedIndex > s.RaftIndex, s.IsLearner, len(s.Errors) > 0:
			return fmt.Errorf("member %d says %+v", i+1, a)
		}
	}
	return nil
}

func etcdctlUnimplemented(t *testing.T, _ etcdctl, endpoints []string) {
	e := newEtcdctl(t).at(endpoints[0])
	for want, args := range map[string][]string{
		"Lease.LeaseGrant":     {"lease", "grant", "60"},
		"Auth.AuthStatus":      {"auth", "status"},
		"Maintenance.Snapshot": {"snapshot", "save", filepath.Join(t.TempDir(), "s")},
	} {
		e.fails("quorate: "+want+" is not implemented yet", args...)
	}
}

// A process that is killed under load, and started again on its directory, is the same
// cluster and has everything that it acknowledged.
func TestDevSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	base, dir, h := freeBase(t, 3), t.TempDir(), plainHTTP(t)
	dev := startDev(t, base, 3, dir)
	before, err := status(h, "http://"+address(base, 1, adminPort))
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := killUnderLoad(t, dev, base)
	startDev(t, base, 3, dir)
	after, err := status(h, "http://"+address(base, 1, adminPort))
	if err != nil {
		t.Fatal(err)
	}
	if after.ClusterID != before.ClusterID || after.Incarnation != before.Incarnation || after.Term <= before.Term {
		t.Errorf("the member was %+v and is %+v", before, after)
	}
	for i := range 3 {
		c := client(t, clientv3.Config{Endpoints: []string{address(base, i+1, clientPort)}})
		r, err := c.Get(patiently(t), "load/", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, kv := range r.Kvs {
			got[string(kv.Key)] = string(kv.Value)
		}
		for k, v := range acknowledged {
			if got[k] != v {
				t.Errorf("member %d has %q under %s, acknowledged was %q", i+1, got[k], k, v)
			}
		}
	}
}

// killUnderLoad kills the process while clients write through every member, and gives
// what was acknowledged.
func killUnderLoad(t *testing.T, dev *process, base int) map[string]string {
	t.Helper()
	const enough, writers = 500, 12
	var mu sync.Mutex
	acknowledged := map[string]string{}
	reached := make(chan struct{})
	ctx, cancel := context.WithCancel(patiently(t))
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		c := client(t, clientv3.Config{Endpoints: []string{address(base, w%3+1, clientPort)}})
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				k, v := fmt.Sprintf("load/%d/%d", w, i), fmt.Sprintf("value %d of %d", i, w)
				if _, err := c.Put(ctx, k, v); err != nil {
					return // the process is killed
				}
				mu.Lock()
				acknowledged[k] = v
				if len(acknowledged) == enough {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-reached:
	case <-ctx.Done():
		t.Fatalf("after %v fewer than %d writes are acknowledged", patience, enough)
	}
	dev.signal(syscall.SIGKILL)
	dev.exits(-1)
	cancel()
	wg.Wait()
	t.Logf("%d writes were acknowledged", len(acknowledged))
	return acknowledged
}

// A directory in use, ports in use, and flags other than those the directory was made
// with are told at once; the directory stays what it was.
func TestDevRefuses(t *testing.T) {
	t.Parallel()
	base, dir := freeBase(t, 1), t.TempDir()
	other := freeBase(t, 3)
	refused := func(base, nodes int, dir string, want ...string) {
		t.Helper()
		out := node(t, "refused dev", devArgs(base, nodes, dir)...).exits(1)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("dev prints %q, want %q", out, w)
			}
		}
	}
	dev := startDev(t, base, 1, dir)
	for _, b := range []int{base, other} {
		refused(b, 1, dir, "the data directory "+dir+" is used by another process: stop that one")
	}
	refused(base, 1, t.TempDir(), address(base, 1, clientPort)+": bind: address already in use", "another --base-port")
	if out := dev.stop(syscall.SIGINT); !strings.HasSuffix(out, "stopped; "+dir+" has the data\n") {
		t.Errorf("dev ends with %q", out)
	}
	refused(base, 3, dir, "was made with --nodes 1 ", "but --nodes 3 ", "another --data-dir for a new cluster")
	refused(other, 1, dir, fmt.Sprintf("give --nodes 1 --base-port %d", base))
	again := startDev(t, base, 1, dir)
	if code, _, err := get(plainHTTP(t), "http://"+address(base, 1, adminPort)+"/readyz"); err != nil || code != http.StatusOK {
		t.Errorf("the cluster is not ready: code %d, %v", code, err)
	}
	again.stop(syscall.SIGINT)
}
