//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"strings"
	"testing"
	"time"
)

// Every member takes writes, and what one took every other one has at once.
func TestWriteThroughAnyMember(t *testing.T) {
	c := newCluster(namespace(t), "any")
	apply(t, c)
	members := forwardAll(t, c)
	for id, m := range members {
		if _, err := dialMember(t, m).Put(t.Context(), "from-"+id, "value-"+id); err != nil {
			t.Fatalf("put through member %s: %v", id, err)
		}
		for other, o := range members {
			got, err := get(t.Context(), dialMember(t, o), "from-"+id)
			if err != nil || got != "value-"+id {
				t.Errorf("member %s answers %q, %v for what member %s took", other, got, err, id)
			}
		}
	}
}

// etcdctl, the program that people have, works against a member.
func TestEtcdctl(t *testing.T) {
	c := newCluster(namespace(t), "ctl")
	apply(t, c)
	e := forwardTo(t, pods(t, c)["2"]).endpoint()
	for _, s := range []struct {
		args  string
		stdin string
		want  []string
	}{
		{args: "put greeting hello", want: []string{"OK"}},
		{args: "get greeting", want: []string{"greeting\nhello\n"}},
		{args: "get gre --prefix --keys-only", want: []string{"greeting"}},
		{args: "put greeting again --prev-kv", want: []string{"OK", "hello"}},
		{args: "txn", stdin: "value(\"greeting\") = \"again\"\n\nput greeting third\nget greeting\n\nput greeting wrong\n\n", want: []string{"SUCCESS", "third"}},
		{args: "del greeting --prev-kv", want: []string{"1", "third"}},
		{args: "get greeting", want: []string{""}},
		{args: "compaction 4", want: []string{"compacted revision 4"}},
		{args: "member list", want: []string{"started, ctl-1", "started, ctl-2", "started, ctl-3"}},
		{args: "endpoint status -w fields", want: []string{`"Leader"`, `"RaftTerm"`}},
		{args: "endpoint health", want: []string{"is healthy"}},
	} {
		got := etcdctl(t, e, s.stdin, strings.Fields(s.args)...)
		for _, w := range s.want {
			if !strings.Contains(got, w) {
				t.Errorf("etcdctl %s prints %q, want %q in it", s.args, got, w)
			}
		}
	}
	if out, err := etcdctlCommand(t.Context(), e, "get", "greeting", "--rev", "2").CombinedOutput(); err == nil || !strings.Contains(string(out), "required revision has been compacted") {
		t.Errorf("a read of a compacted revision ends with %v and prints %q", err, out)
	}
}

// etcdctl watch shows the past from a revision on, then what comes.
func TestEtcdctlWatch(t *testing.T) {
	c := newCluster(namespace(t), "watch")
	apply(t, c)
	e := forwardTo(t, pods(t, c)["3"]).endpoint()
	etcdctl(t, e, "", "put", "w", "first")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := etcdctlCommand(ctx, e, "watch", "w", "--rev", "1")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for _, want := range []string{"PUT", "w", "first"} {
		expectLine(t, lines, want)
	}
	etcdctl(t, e, "", "put", "w", "second")
	for _, want := range []string{"PUT", "w", "second"} {
		expectLine(t, lines, want)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait() //nolint:errcheck // it was killed
}

func expectLine(t *testing.T, s *bufio.Scanner, want string) {
	t.Helper()
	if !s.Scan() || s.Text() != want {
		t.Fatalf("the watch prints %q, %v, want %q", s.Text(), s.Err(), want)
	}
}
