package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/quorate/quorate/node/nodeapi"
)

// earlier is the commit whose node is the older one: the last before messages, records and
// the membership got new fields and kinds.
const earlier = "1668937f7e9b90fd990d93b37e6344822b963f4f"

// earlierBinary builds the node of that commit, once for each machine: it is kept beside
// the tools. Without the commit, in a shallow clone, there is nothing to test.
var earlierBinary = sync.OnceValues(func() (string, error) {
	cache := os.Getenv("QUORATE_CACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache", "quorate")
	}
	program := filepath.Join(cache, "nodes", earlier, "quorate-node")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	source, err := os.MkdirTemp(filepath.Dir(program), "source-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source) //nolint:errcheck // beside the cache, in nobody's way
	script := fmt.Sprintf("git archive %s | tar -x -C %q && cd %q && go build -o ../new ./node && mv ../new %q", earlier, source, source, program)
	build := exec.Command("bash", "-ec", "set -o pipefail; cd ..; "+script)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the node of commit %s: %w\n%s", earlier[:7], err, out)
	}
	return program, nil
})

// shallow tells whether the clone has only the last commits.
func shallow() bool {
	out, err := exec.Command("git", "rev-parse", "--is-shallow-repository").Output()
	return err == nil && strings.TrimSpace(string(out)) == "true"
}

// mixed is a group of three processes, each of which may run either node.
type mixed struct {
	t        *testing.T
	programs map[string]string // by version
	base     int
	dir      string
	h        *http.Client
	members  [3]*process
	runs     [3]string // versions
}

const (
	older = "older"
	newer = "newer"
)

func startMixed(t *testing.T, versions ...string) *mixed {
	t.Helper()
	program, err := earlierBinary()
	if err != nil {
		if os.Getenv("CI") != "" && !shallow() {
			t.Fatal(err)
		}
		t.Skipf("WITHOUT THIS TEST NOTHING SAYS THAT AN UPGRADE WORKS: %v", err)
	}
	g := &mixed{
		t: t, programs: map[string]string{older: program, newer: binary},
		base: freeBase(t, 3), dir: t.TempDir(), h: plainHTTP(t),
	}
	for i, v := range versions {
		g.start(i+1, v)
	}
	for i := range versions {
		ready(t, g.h, g.admin(i+1))
	}
	return g
}

func (g *mixed) admin(member int) string { return "http://" + address(g.base, member, adminPort) }

func (g *mixed) traffic(t *testing.T) *traffic {
	t.Helper()
	return startTraffic(t, address(g.base, 1, clientPort), address(g.base, 2, clientPort), address(g.base, 3, clientPort))
}

// start runs a member. Snapshots are so near to each other that a member that was away
// needs one.
func (g *mixed) start(member int, version string) {
	g.t.Helper()
	args := serveArgs(g.base, member, 3, g.dir, "--snapshot-entries=200")
	g.members[member-1] = start(g.t, fmt.Sprintf("m-%d %s", member, version), g.programs[version], nil, args...)
	g.runs[member-1] = version
}

// becomes stops a member and starts it with the other node, while the traffic goes on.
// With flooded the others have forgotten meanwhile what it lacks: it must get a snapshot.
func (g *mixed) becomes(member int, version string, l *traffic, flooded bool) {
	g.t.Helper()
	g.members[member-1].stop(syscall.SIGTERM)
	if flooded {
		g.flood(member%3+1, member)
	}
	l.more(g.t, 300)
	g.start(member, version)
	g.caughtUp(member)
}

// flood writes through a member until no log has the entries any more that the absent one
// lacks.
func (g *mixed) flood(through, absent int) {
	g.t.Helper()
	_, last := g.log(absent)
	c := client(g.t, clientv3.Config{Endpoints: []string{address(g.base, through, clientPort)}})
	for _, m := range []int{through, 6 - through - absent} {
		eventually(g.t, fmt.Sprintf("member %d has forgotten entry %d", m, last+1), func() error {
			ctx, errs := patiently(g.t), make(chan error)
			for w := range 64 {
				go func() {
					var err error
					for n := 0; n < 40 && err == nil; n++ {
						_, err = c.Put(ctx, fmt.Sprint("flood", w), "")
					}
					errs <- err
				}()
			}
			var all error
			for range 64 {
				all = errors.Join(all, <-errs)
			}
			if first, _ := g.log(m); first <= last+1 {
				return errors.Join(all, fmt.Errorf("its log begins with entry %d", first))
			}
			return nil
		})
	}
}

// log gives the first and the last entry in a member's log. Beside a running member its end may
// seem torn, which is no error here.
func (g *mixed) log(member int) (first, last uint64) {
	g.t.Helper()
	out, _ := exec.Command(binary, "log", "verify", filepath.Join(g.dir, fmt.Sprintf("m-%d", member))).Output()
	_, found, _ := strings.Cut(string(out), "log: ")
	if _, err := fmt.Sscanf(found, "entries %d to %d", &first, &last); err != nil {
		g.t.Fatalf("log verify of member %d prints %q", member, out)
	}
	return first, last
}

// killed ends a member without a word and starts it again.
func (g *mixed) killed(member int, l *traffic) {
	g.t.Helper()
	p := g.members[member-1]
	p.signal(os.Kill)
	<-p.done
	l.more(g.t, 300)
	g.start(member, g.runs[member-1])
	g.caughtUp(member)
}

// caughtUp waits until a member serves and has what the leader had committed.
func (g *mixed) caughtUp(member int) {
	g.t.Helper()
	ready(g.t, g.h, g.admin(member))
	_, at := g.leader()
	eventually(g.t, fmt.Sprintf("member %d has applied entry %d", member, at), func() error {
		s, err := status(g.h, g.admin(member))
		switch {
		case err != nil:
			return err
		case s.Health != nil:
			return fmt.Errorf("%+v", *s.Health)
		case s.AppliedIndex < at:
			return fmt.Errorf("it is at %d", s.AppliedIndex)
		}
		return nil
	})
}

// leader gives the member that leads, when all others follow it, and its commit index.
func (g *mixed) leader() (member int, commit uint64) {
	g.t.Helper()
	eventually(g.t, "one leads and all follow", func() error {
		var all [3]nodeapi.Status
		for i := range all {
			var err error
			if all[i], err = status(g.h, g.admin(i+1)); err != nil {
				return err
			}
			if all[i].LeaderID == 0 || all[i].LeaderID != all[0].LeaderID || all[i].Term != all[0].Term {
				return fmt.Errorf("%+v and %+v", all[0], all[i])
			}
		}
		member, commit = int(all[0].LeaderID), all[all[0].LeaderID-1].CommitIndex
		return nil
	})
	return member, commit
}

// leads lets a member lead.
func (g *mixed) leads(member int) {
	g.t.Helper()
	eventually(g.t, fmt.Sprintf("member %d leads", member), func() error {
		from, _ := g.leader()
		if from == member {
			return nil
		}
		url := fmt.Sprintf("%s%s?to=%d", g.admin(from), nodeapi.PathTransfer, member)
		r, err := g.h.Post(url, "", nil)
		if err == nil {
			r.Body.Close() //nolint:errcheck // only the next look tells
		}
		return errors.Join(err, errors.New("it was asked to"))
	})
}

// all gives the members, the leader last.
func (g *mixed) all() []int {
	leader, _ := g.leader()
	var order []int
	for m := 1; m <= 3; m++ {
		if m != leader {
			order = append(order, m)
		}
	}
	return append(order, leader)
}

// A group of the earlier node becomes one of this node, a member at a time and under traffic,
// and then one of the earlier node again. On the way each leads, and a leader of either
// version is killed in front of followers of both.
func TestUpgradeAndDowngrade(t *testing.T) {
	t.Parallel()
	g := startMixed(t, older, older, older)
	l := g.traffic(t)
	for _, to := range []string{newer, older} {
		for i, m := range g.all() {
			g.becomes(m, to, l, i == 0)
			g.leads(m)
			l.more(t, 300)
			if i < 2 { // versions differ
				g.killed(m, l)
				g.leads(g.all()[0])
			}
			l.more(t, 300)
		}
		t.Logf("all members run the %s node", to)
		for m := 1; m <= 3; m++ { // by which the operator tells them apart
			if s, err := status(g.h, g.admin(m)); err != nil || (s.Formats != nil) != (to == newer) {
				t.Errorf("member %d tells %+v, %v", m, s.Formats, err)
			}
		}
	}
	l.finish(t)
}

// With one member of this node and two of the earlier one every majority has both: each
// pair of members elects a leader and serves.
func TestEveryPairOfVersionsServes(t *testing.T) {
	t.Parallel()
	for _, versions := range [][]string{{newer, older, older}, {newer, newer, older}} {
		t.Run(strings.Join(versions, " "), func(t *testing.T) {
			t.Parallel()
			g := startMixed(t, versions...)
			l := g.traffic(t)
			for m := 1; m <= 3; m++ {
				g.leads(m)
				l.more(t, 300)
				for range 2 { // the other two go on, whoever of them is ahead
					leader, _ := g.leader()
					g.killed(leader, l)
				}
			}
			l.finish(t)
		})
	}
}
