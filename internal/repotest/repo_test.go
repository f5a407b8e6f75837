package repotest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const top = "../.."

func TestRepository(t *testing.T) {
	tree, err := Load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Checks {
		t.Run(c.Name, func(t *testing.T) {
			for _, p := range c.Run(tree) {
				t.Error(p)
			}
		})
	}
}

// TestThePathOfAFaultIsTold wants ARCHITECTURE.md to follow a fault through all rooms from the
// disk to the replaced member, in this order. That each name exists is one of the Checks.
func TestThePathOfAFaultIsTold(t *testing.T) {
	tree, err := Load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	_, path, found := strings.Cut(tree.Text["ARCHITECTURE.md"], "\n## The path of a fault\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no section \"The path of a fault\"")
	}
	path, _, _ = strings.Cut(path, "\n## ")
	for _, name := range []string{
		"filelog.Log.Read", "host.Host.fail", "fault.Sink.Report", "fault.OnUnrecoverable", "server.Member.Status",
		"observe.Observed.Fault", "health.Conditions", "raftcluster.Reconciler.tellMember", "plan.restartFaultyMembers",
		"plan.replaceMembers", "plan.continueChange", "raftcluster.Reconciler.changeMembership",
	} {
		var there bool
		if _, path, there = strings.Cut(path, "`"+name+"`"); !there {
			t.Fatalf("the path of a fault does not come to %s, or not in its place", name)
		}
	}
}

// TestContractsHaveImplementations shows that the check of contracts looks at something.
func TestContractsHaveImplementations(t *testing.T) {
	tree, err := Load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contracts {
		var found []string
		for _, p := range tree.packages() {
			for _, typ := range p.typesWith(tree.interfaceMethods(c.dir, c.name)) {
				found = append(found, p.Dir+"."+typ)
			}
		}
		if t.Logf("%s: %v", c.name, found); len(found) < 2 {
			t.Errorf("of contract %s the implementations %v were found, want at least two", c.name, found)
		}
	}
}

// TestExampleIsShort keeps what the documents promise: a state machine of a user's own and
// its simulation take no more than 100 lines together.
func TestExampleIsShort(t *testing.T) {
	lines := 0
	for _, name := range []string{"queue.go", "queue_test.go"} {
		b, err := os.ReadFile(filepath.Join(top, "examples", "queue", name))
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(b, []byte("\n"))
	}
	if lines > 100 {
		t.Errorf("examples/queue/queue.go and queue_test.go have %d lines together, at most 100 were promised", lines)
	}
}

// TestRaftcoreDependsOnNoKubernetes looks at all that a program which embeds raftcore
// is linked with, by way of other people's modules too.
func TestRaftcoreDependsOnNoKubernetes(t *testing.T) {
	for name := range dependencies(t, "./raftcore/...") {
		if within(name, "k8s.io") || within(name, "sigs.k8s.io") {
			t.Errorf("raftcore is linked with %s: people embed it in programs that have nothing to do with Kubernetes", name)
		}
	}
}

// TestOperatorIsNotLinkedWithRaft is the other side of the same wall.
func TestOperatorIsNotLinkedWithRaft(t *testing.T) {
	for name := range dependencies(t, ".") {
		if folder, ours := ownFolder(name); ours && within(folder, "raftcore") {
			t.Errorf("the operator is linked with %s: it meets the nodes in node/nodeapi only", name)
		}
	}
}

// dependencies gives all packages that the pattern is linked with, tests left out.
func dependencies(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", pattern)
	cmd.Dir = filepath.FromSlash(top)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v\n%s", pattern, err, stderr.String())
	}
	names := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		names[strings.TrimSpace(lines.Text())] = true
	}
	if len(names) < 10 {
		t.Fatalf("go list -deps %s gave %d packages: the test looks at nothing", pattern, len(names))
	}
	return names
}
